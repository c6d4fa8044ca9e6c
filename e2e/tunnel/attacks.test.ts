/** Peers that have signed in and do what they may not, with real processes: refused, told of, and nobody else affected. */
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, type CliProcess } from '../lib/cli-process.ts';
import { nginxUnavailable, startNginx } from '../lib/nginx.ts';
import { PASSWORD } from '../lib/world.ts';
import { labUnavailable } from '../natlab/index.ts';
import { TunnelWorld } from './tunnel-world.ts';

const unavailable = labUnavailable() ?? nginxUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, attacks on tunnels: ${unavailable}`);
else buildCli();

const WEB_PORT = 8080;
/** Takes connections and never reads. */
const DEAF_PORT = 8081;
/** A host after all of it, of which 64 MiB are what one link may make it hold. */
const MAX_RESIDENT_KIB = 400 * 1024;

interface Said {
  readonly event: string;
  readonly end?: string;
  readonly resets?: Readonly<Record<string, number>>;
}

describe.skipIf(unavailable !== null)('a peer that breaks the rules of virtual streams', () => {
  let world: TunnelWorld;
  let host: { id: string; process: CliProcess };
  let forward: CliProcess;
  let port = 0;
  let serial = 0;

  beforeAll(async () => {
    world = await TunnelWorld.create();
    await startNginx({
      directory: join(world.world.lab.directory, 'nginx'),
      host: world.nas,
      port: WEB_PORT,
      http: `server { listen ${WEB_PORT}; return 200 "hello\\n"; }`,
    });
    world.nas.spawn(process.execPath, ['-e', `require('net').createServer((s) => s.pause().on('error', () => {})).listen(${DEAF_PORT})`]);
    host = await world.world.startHost('b', ['--allow', `tcp:${world.nas.address}:1-65535`]);
    forward = world.start('forward', host.id, [`0:${world.nas.address}:${WEB_PORT}`]);
    port = Number((await forward.waitFor('listening'))['port']);
    await forward.waitFor('connected');
  }, 60_000);
  afterAll(async () => {
    await world?.destroy();
  });

  async function attack(name: string): Promise<Said> {
    const options = {
      ...{ server: world.world.invite, data: join(world.world.lab.directory, `attacker-${++serial}`), id: host.id, password: PASSWORD },
      ...{ attack: name, host: world.nas.address, port: DEAF_PORT },
    };
    const child = world.near.spawn(process.execPath, [join(import.meta.dirname, 'attacker.ts'), JSON.stringify(options)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      const said = JSON.parse(line) as Said;
      if (said.event === 'attacking') continue;
      return said;
    }
    throw new Error('it ended without a word');
  }

  test.each([
    ['streams that never were', 'goaway protocol', /never opened/],
    ['streams of the other side', 'goaway protocol', /cannot be opened/],
    ['an id twice', 'goaway protocol', /cannot be opened/],
    ['credit without end', 'goaway protocol', /more credit for the link/],
    ['a flood of openings', 'goaway too-many-opens', /flood/],
    ['a frame that is none', 'goaway protocol', /type 42/],
  ])('%s: all its streams end, and nobody else notices', async (name, end, reason) => {
    const from = host.process.events.length;
    const page = world.shell(`for i in $(seq 10); do curl -sS --max-time 20 http://127.0.0.1:${port}/; done`);
    // The end of the link may overtake the word about it.
    expect([end, 'closed']).toContain((await attack(name)).end);
    expect(await host.process.waitFor('violation', { from })).toMatchObject({ reason: expect.stringMatching(reason) });
    expect((await page).stdout).toBe('hello\n'.repeat(10));
  });

  test('more than the credit of one stream: that stream ends', async () => {
    const from = host.process.events.length;
    expect(await attack('more than the credit of a stream')).toMatchObject({ end: 'nothing', resets: { 'flow-control': 1 } });
    expect(await host.process.waitFor('violation', { from })).toMatchObject({ reason: expect.stringContaining('credit') });
    expect(await world.shell(`curl -sS http://127.0.0.1:${port}/`)).toMatchObject({ stdout: 'hello\n' });
  });

  test('the host is none the worse for it', async () => {
    const proc = `/proc/${host.process.child.pid}`;
    await expect.poll(async () => Number((await world.shell(`ls ${proc}/fd | wc -l`)).stdout), { timeout: 10_000 }).toBeLessThan(100);
    expect(Number((await world.shell(`awk '/VmRSS/ {print $2}' ${proc}/status`)).stdout)).toBeLessThan(MAX_RESIDENT_KIB);
    expect(forward.events.map(({ event }) => event)).not.toContain('reconnecting');
  });
});
