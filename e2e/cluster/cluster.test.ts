import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { redisUnavailable } from '../../src/server/cluster/test-redis.ts';
import { buildCli, CliProcess, type CliResult } from '../lib/cli-process.ts';
import { eventOf, finalPath, PASSWORD } from '../lib/world.ts';
import { labUnavailable } from '../natlab/index.ts';
import { ClusterWorld } from './cluster-world.ts';
import type { PhaseReport } from './load.ts';
import { killEverythingOnce } from './scenario.ts';

const unavailable = labUnavailable() ?? redisUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, several nodes: ${unavailable}`);
else buildCli();

const HEARTBEAT_MS = 3_000;
const ANSWER_MS = 1_500;
/** From the blow: the rest of a heartbeat, the time until its node counts as silent, the next probe and its own time. */
const ONE_HEARTBEAT_MS = HEARTBEAT_MS + ANSWER_MS + 800 + 2 * 1_500;

describe.skipIf(unavailable !== null)('three nodes, two relays and Redis', () => {
  let world: ClusterWorld | undefined;
  afterEach(async () => {
    await world?.destroy();
    world = undefined;
  });

  test('killed one after the other under load: nothing acknowledged is lost, nobody is away for longer than a heartbeat', async () => {
    world = await ClusterWorld.create();
    const report = await killEverythingOnce(world, {
      ...{ peers: 24, heartbeatMs: HEARTBEAT_MS, answerMs: ANSWER_MS, probeMs: 800 },
      ...{ quietMs: 3_000, nodeMs: HEARTBEAT_MS + ANSWER_MS + 3_000, settleMs: 4_000, redisAwayMs: 5_000, twoNodes: true },
    });
    const phase = (name: string): PhaseReport => {
      const found = report.phases.find((candidate) => candidate.name === name);
      if (!found) throw new Error(`no phase ${name}`);
      return found;
    };
    for (const { name, unreachable, sessionGaps, introduced, refused, registered, notRegistered } of report.phases)
      console.log(
        `${name}: ${introduced} introduced, ${refused} not; ${registered} registered, ${notRegistered} not; ` +
          `away, ms: ${unreachable.map(Math.round).join(' ') || 'nobody'}; sessions stood still, ms: ${sessionGaps.map(Math.round).join(' ') || 'none'}`,
      );
    expect(report.acknowledged).toBeGreaterThan(100);
    expect(report.lost).toBe(0);
    // What a machine that is busy with other things does to the load by itself.
    const noiseMs = Math.max(0, ...phase('quiet').unreachable);
    for (const name of ['node-killed', 'two-nodes-killed'])
      for (const ms of phase(name).unreachable) expect(ms, name).toBeLessThan(ONE_HEARTBEAT_MS + 2 * noiseMs);
    // A session whose relay dies goes on through the other one.
    expect(phase('relay-killed').sessionGaps.length).toBeGreaterThan(0);
    // Without Redis each node serves its own, and acknowledges nothing that is not written.
    expect(phase('redis-killed').introduced).toBeGreaterThan(0);
    expect(phase('all-back').introduced).toBeGreaterThan(0);
    expect(world.said).not.toContain('not for the logs');
  });

  test('real peers meet across nodes, directly and through a relay, also after their node was killed', async () => {
    world = await ClusterWorld.create({ b: 'port-restricted', a: 'port-restricted', c: 'symmetric' });
    const { lab, key } = world;
    const at = (node: string): string[] => ['--server', lab.host(node).address, '--key', key];
    const host = new CliProcess(lab.host('b'), ['host', '--data', join(lab.directory, 'b'), '--password', PASSWORD, ...at('node1')]);
    const id = String((await host.waitFor('registered'))['id']);
    let run = 0;
    const connect = (from: string, node: string, path = 'relay'): Promise<CliResult> => {
      const data = join(lab.directory, `${from}${++run}`);
      return new CliProcess(lab.host(from), ['connect', id, '--data', data, '--password', PASSWORD, '--hold', '2', '--path', path, ...at(node)]).finished();
    };
    const direct = await connect('a', 'node3', 'auto');
    expect(eventOf(direct, 'connected')).toMatchObject({ encrypted: true, peerVerified: true });
    expect(finalPath(direct)).not.toBe('relay');
    expect(eventOf(await connect('c', 'node2'), 'connected')).toMatchObject({ path: 'relay', encrypted: true, peerVerified: true });
    await world.kill('node1');
    await world.start('node1');
    // Until the peer's next heartbeat nobody knows where it is.
    const deadline = performance.now() + 60_000;
    let again = await connect('c', 'node3');
    while (again.code !== 0 && performance.now() < deadline) again = await connect('c', 'node3');
    expect(eventOf(again, 'connected')).toMatchObject({ path: 'relay', encrypted: true, peerVerified: true });
  });
});
