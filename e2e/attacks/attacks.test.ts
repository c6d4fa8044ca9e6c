/** The server as it ships, under all attacks at once; people go on connecting through it, and nothing is left afterwards. */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, type CliResult } from '../lib/cli-process.ts';
import { eventOf, World } from '../lib/world.ts';
import { JsonEvents, labUnavailable } from '../natlab/index.ts';
import type { AttackOptions, AttackReport } from './attacker.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, attacks: ${unavailable}`);
else buildCli();

/** Stated in docs/self-hosting.md: what the process has at most while it is attacked with the default limits. */
const MAX_RSS_MIB = 300;
const NETWORK = '10.66';
/** Half of the default, so that the slowest attack ends in a time that a test may take; all other limits are as they come. */
const FRAME_TIMEOUT_MS = 15_000;
/** Of one phase of the attack, on a machine that is busy with other things too. */
const ATTACK_LIMIT_MS = 120_000;

/** Where a descriptor leads; empty when it was closed meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

describe.skipIf(unavailable !== null)('everything at once', () => {
  let world: World;
  let id: string;
  const figures: string[] = [];

  beforeAll(async () => {
    world = await World.create({ b: 'port-restricted', a: 'port-restricted', x: 'open' }, ['--limit', `frameTimeoutMs=${FRAME_TIMEOUT_MS}`]);
    // A /16 for the attacker, as somebody with many machines has.
    const x = world.lab.host('x');
    await sh('x', `ip route add local ${NETWORK}.0.0/16 dev lo`);
    await sh('server', `ip route add ${NETWORK}.0.0/16 via ${x.address}`);
    id = (await world.startHost('b')).id;
  });
  afterAll(async () => {
    console.log(figures.join('\n'));
    await world?.lab.destroy();
  });

  async function sh(host: string, command: string): Promise<string> {
    const done = await world.lab.host(host).run('sh', ['-c', command]);
    expect(done.stderr).toBe('');
    return done.stdout;
  }
  class Attack extends JsonEvents {
    readonly child: ChildProcess;

    constructor(more: Partial<AttackOptions> = {}) {
      const options: AttackOptions = {
        ...{ server: world.serverAddress, key: world.key, network: NETWORK, id },
        controller: world.lab.host('a').publicAddress,
        ...more,
      };
      const child = world.lab.host('x').spawn(process.execPath, [join(import.meta.dirname, 'attacker.ts'), JSON.stringify(options)]);
      super(child);
      this.child = child;
    }
  }
  const pid = (): number => world.server.child.pid ?? 0;
  const memory = (field: 'VmRSS' | 'VmHWM'): number => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(readFileSync(`/proc/${pid()}/status`, 'utf8'))?.[1]) / 1024;
  /** Sockets and open files of the server, as /proc and ss name them. */
  const descriptors = (): string[] => readdirSync(`/proc/${pid()}/fd`).map((fd) => linkOf(`/proc/${pid()}/fd/${fd}`)).filter((link) => link !== '');
  /** Connections at the server from these addresses, in every state but TIME-WAIT, which has no owner. */
  const connectionsOf = async (...from: readonly string[]): Promise<string[]> =>
    (await sh('server', from.map((address) => `ss -tanH state connected exclude time-wait dst ${address}`).join('; '))).split('\n').filter((line) => line !== '');
  const connections = (): Promise<string[]> => connectionsOf(`${NETWORK}.0.0/16`, world.lab.host('x').address);

  async function session(path: string): Promise<{ readonly ms: number; readonly result: CliResult }> {
    const from = performance.now();
    const result = await world.connect('a', id, ['--ping', '1', '--path', path]);
    expect(result.stderr, path).toBe('');
    expect(eventOf(result, 'connected')).toMatchObject({ encrypted: true, peerVerified: true });
    expect(result.code).toBe(0);
    return { ms: Math.round(performance.now() - from), result };
  }

  test('no answer by UDP is longer than what its address sent', async () => {
    const attack = new Attack({ amplification: true });
    expect(await attack.closed, attack.stderr).toBe(0);
    const factors = attack.events.filter((line) => line.event === 'factor') as unknown as { name: string; copies: number; sent: number; back: number }[];
    expect(factors.length).toBeGreaterThan(50);
    for (const { name, copies, sent, back } of factors) {
      if (back > 0 && copies !== 2) figures.push(`amplification, ${name} x${copies}: ${sent} B sent, ${back} B back, ${(back / sent).toFixed(2)}`);
      expect(back, `${name} x${copies}`).toBeLessThanOrEqual(sent);
    }
    const worst = Math.max(...factors.map(({ sent, back }) => back / sent));
    figures.push(`amplification: worst factor ${worst.toFixed(2)} of ${factors.length} measurements; 0 where not listed`);
  });

  test('people connect throughout, memory is bounded, nothing stays behind', async () => {
    await session('auto');
    const before = { rss: memory('VmRSS'), descriptors: descriptors() };
    const attack = new Attack();
    await attack.waitFor('ready', { timeoutMs: ATTACK_LIMIT_MS });
    const garbage = world.lab.host('x').spawn(
      process.execPath,
      [join(import.meta.dirname, '..', 'lib', 'garbage.mjs'), world.serverAddress, '21115,21116,21117,21118,21119', '7'],
      { stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const garbageEnds = once(garbage, 'close');
    const times: number[] = [];
    // By turns direct and through the relay, until the slowest attack is over: frameTimeoutMs.
    let over = false;
    const end = Promise.all([garbageEnds, attack.waitFor('slow-gone', { timeoutMs: ATTACK_LIMIT_MS })]).finally(() => (over = true));
    const sessions = async (): Promise<void> => {
      while (!over) times.push((await session(times.length % 2 ? 'relay' : 'auto')).ms);
    };
    await Promise.all([end, sessions()]);
    const held = (await connections()).length;
    attack.child.stdin?.end();
    const report = (await attack.waitFor('report')) as unknown as AttackReport;
    figures.push(
      `half-open: ${report.halfOpen} opened, ${report.halfOpenAgain} more for those that the server ended, ${report.halfOpenStanding} standing at the end`,
      `slow-loris: 0 of 200 left; giant lengths: ${report.giantsStanding} of 100 left; garbage: 10,000 frames at each port, over TCP and UDP`,
      `forged answers: ${report.forged}; relay uuids guessed: ${report.guesses}, ${report.guessedBytes} B back; tickets replayed: ${report.replays}, ${report.replayedBytes} B back`,
      `sessions of our peers meanwhile: ${times.length} of ${times.length}; ms with the start of the program: median ${times.toSorted((p, q) => p - q)[times.length >> 1]}, longest ${Math.max(...times)}`,
      `memory: ${before.rss.toFixed(0)} MiB before, at most ${memory('VmHWM').toFixed(0)} MiB (bound ${MAX_RSS_MIB}); ${held} connections of the attacker at its end`,
    );
    expect(report.halfOpen).toBe(5_000);
    expect(report.forged).toBeGreaterThan(1_000);
    expect(report.guesses).toBeGreaterThan(100);
    expect(report.replays).toBeGreaterThan(20);
    expect(report).toMatchObject({ guessedBytes: 0, replayedBytes: 0, giantsStanding: 0 });
    // The default limits: maxHalfOpen for those that said nothing.
    expect(report.halfOpenStanding).toBeLessThanOrEqual(4_096);
    expect(memory('VmHWM')).toBeLessThan(MAX_RSS_MIB);

    const deadline = performance.now() + 60_000;
    for (let left = await connections(); left.length > 0; left = await connections())
      if (performance.now() > deadline) throw new Error(`still there: ${left.length}, ${left[0]}`);
    const more = (): string[] => descriptors().filter((link) => !before.descriptors.includes(link));
    // A peer whose datagrams were lost in the flood may have registered over TCP, and that connection is to stay.
    const ours = (): Promise<string[]> => connectionsOf(world.lab.host('a').publicAddress, world.lab.host('b').publicAddress);
    // A connection that was reset while it was not read is noticed when its time is over.
    const from = performance.now();
    while (more().length > (await ours()).length && performance.now() < from + FRAME_TIMEOUT_MS + 5_000)
      await new Promise((resolve) => setTimeout(resolve, 100));
    figures.push(`afterwards: 0 connections of the attacker, ${descriptors().length} descriptors (before: ${before.descriptors.length}), ${memory('VmRSS').toFixed(0)} MiB, ${(await ours()).length} connections of our peers; the last descriptor was gone ${((performance.now() - from) / 1000).toFixed(1)} s after the last connection`);
    expect(more().slice((await ours()).length)).toEqual([]);
    await session('auto');
    const stats = execFileSync(process.execPath, [join(import.meta.dirname, '../../out/cli/litedesk.js'), 'admin', 'stats', '--data', join(world.lab.directory, 'server')], { encoding: 'utf8' });
    figures.push(stats.split('\n').filter((line) => /ticket|introduced|half-open|frame|timeout|answer|forged/.test(line)).join('\n'));
  });
});
