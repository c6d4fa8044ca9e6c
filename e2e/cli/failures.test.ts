import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, type CliResult, CliProcess } from '../lib/cli-process.ts';
import { eventOf, PASSWORD, World } from '../lib/world.ts';
import { labUnavailable } from '../natlab/index.ts';
import { sh } from '../natlab/shell.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, failures of connections: ${unavailable}`);
else buildCli();

/** Nobody waits longer than this to be told what is wrong. */
const TOLD_WITHIN_MS = 30_000;

describe.skipIf(unavailable !== null)('what goes wrong is told clearly and in time', () => {
  let world: World;
  let id: string;
  let host: CliProcess;
  beforeAll(async () => {
    world = await World.create({ b: 'port-restricted', a: 'port-restricted', x: 'open' });
    const started = await world.startHost('b');
    id = started.id;
    host = started.process;
  });
  afterAll(() => world?.lab.destroy());

  function failure(result: CliResult): { code: string; stage: string; message: string; hint: string } {
    expect(result.code).toBe(1);
    expect(result.strayLines).toEqual([]);
    const error = eventOf(result, 'error') as unknown as { code: string; stage: string; message: string; hint: string };
    expect(result.events.at(-1)?.event).toBe('error');
    expect(error.code).toMatch(/^[A-Z][A-Z0-9_]+$/);
    expect(error.message.length).toBeGreaterThan(5);
    expect(error.hint.length).toBeGreaterThan(5);
    return error;
  }
  const connect = (target: string, args: readonly string[] = []) => world.connect('a', target, args, TOLD_WITHIN_MS);

  test('wrong password', async () => {
    expect(failure(await connect(id, ['--password', 'not it'])).stage).toBe('login');
  });

  test('unknown ID', async () => {
    expect(failure(await connect('999999998')).stage).toBe('lookup');
  });

  test('wrong key', async () => {
    const other = Buffer.alloc(32, 7).toString('base64');
    const result = await connect(id, ['--server', world.serverAddress, '--key', other]);
    expect(['lookup', 'handshake', 'server']).toContain(failure(result).stage);
  });

  test('no server at that address', async () => {
    const result = await connect(id, ['--server', `${world.lab.host('x').address}:21116`, '--key', world.key]);
    expect(failure(result).stage).toBe('server');
  });

  test('a server name that no one knows', async () => {
    const result = await connect(id, ['--server', 'nowhere.invalid', '--key', world.key]);
    expect(['dns', 'server']).toContain(failure(result).stage);
  });

  test('a host with a wrong server says that it is offline and why', async () => {
    const lost = new CliProcess(world.lab.host('x'), [
      ...['host', '--data', join(world.lab.directory, 'lost'), '--password', PASSWORD],
      ...['--server', '203.0.113.250', '--key', world.key],
    ]);
    expect((await lost.waitFor('offline', { timeoutMs: TOLD_WITHIN_MS }))['reason']).toBeTruthy();
    expect((await lost.stop()).code).toBe(0);
  });

  test('a peer that is gone is offline', async () => {
    const gone = await world.startHost('x');
    await gone.process.stop('SIGKILL');
    // The server learns of it only when its heartbeat is missing (30 s); until then the connection itself fails.
    const error = failure(await world.connect('a', gone.id, [], 60_000));
    expect(['lookup', 'punch', 'relay']).toContain(error.stage);
  });

  test('a relay that is not there', async () => {
    const elsewhere = await World.create({ b: 'symmetric', a: 'symmetric' });
    try {
      await elsewhere.server.stop();
      await elsewhere.startServer(['--relay', '203.0.113.250']);
      const peer = await elsewhere.startHost('b');
      const error = failure(await elsewhere.connect('a', peer.id, [], 60_000));
      expect(error.stage).toBe('relay');
    } finally {
      await elsewhere.lab.destroy();
    }
  });

  test('a full disk: both say so, leave nothing behind, and start when there is room again', async () => {
    const disk = join(world.lab.directory, 'full-disk');
    mkdirSync(disk);
    sh(`mount -t tmpfs -o size=1m tmpfs ${disk}`);
    try {
      sh(`dd if=/dev/zero of=${disk}/fill bs=4k 2>/dev/null || true`);
      const start = (...args: string[]): CliProcess => new CliProcess(world.lab.host('x'), [...args, '--data', join(disk, args[0] ?? '')]);
      const host = (): CliProcess => start('host', '--server', world.serverAddress, '--key', world.key, '--password', PASSWORD);
      expect(failure(await host().finished(10_000)).code).toBe('DATA_NOT_WRITTEN');
      expect(failure(await start('server').finished(10_000)).code).toBe('SERVER_FAILED');
      expect(readdirSync(disk, { recursive: true }).filter((name) => /ed25519|json/.test(String(name)))).toEqual([]);
      rmSync(join(disk, 'fill'));
      const server = start('server');
      await server.waitFor('ready');
      await server.stop();
      const sharing = host();
      await sharing.waitFor('registered');
      await sharing.stop();
    } finally {
      sh(`umount ${disk}`);
    }
  });

  test.each([
    [['connect']],
    [['connect', '123456789', '--path', 'carrier-pigeon']],
    [['host', '--no-such-option']],
    [['connect', '123456789', '--server', '203.0.113.10:99999']],
  ])('wrong usage ends with exit code 2: %j', async (args) => {
    const result = await new CliProcess(world.lab.host('x'), args).finished(10_000);
    expect(result.code).toBe(2);
    expect(result.stderr.length).toBeGreaterThan(5);
    expect(eventOf(result, 'error')['stage']).toBe('usage');
  });

  test('garbage on every port: the server stays up, its memory flat, and people connect', async () => {
    const ready = eventOf({ code: null, events: world.server.events, stderr: '', strayLines: [] }, 'ready');
    const ports = Object.values(ready['ports'] as Record<string, number | null>).filter((port): port is number => typeof port === 'number' && port > 0);
    expect(ports.length).toBeGreaterThanOrEqual(4);
    const rss = (): number => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${world.server.child.pid}/status`, 'utf8'))?.[1]);
    const throwGarbage = async (seed: number) => {
      const done = await world.lab.host('x').run(
        process.execPath,
        [join(import.meta.dirname, '..', 'lib', 'garbage.mjs'), world.serverAddress, ports.join(','), String(seed)],
        { timeoutMs: 120_000 },
      );
      expect(done.stderr).toBe('');
      expect(done.code).toBe(0);
    };
    await throwGarbage(1);
    const beforeKib = rss();
    await throwGarbage(2);
    expect(rss() - beforeKib).toBeLessThan(50_000);
    expect(world.server.child.exitCode).toBeNull();
    expect(eventOf(await world.connect('a', id), 'connected')).toMatchObject({ encrypted: true });
  });

  test('after all this the host holds no connection but those of its registration', async () => {
    await expect
      .poll(async () => (await world.lab.host('b').run('ss', ['-Htn', 'state', 'established'])).stdout.split('\n').filter(Boolean).length)
      .toBeLessThanOrEqual(1);
    expect((await host.stop()).code).toBe(0);
    expect((await world.server.stop()).code).toBe(0);
  });
});
