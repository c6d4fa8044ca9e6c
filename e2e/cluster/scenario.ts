/** Nodes, a relay in use and Redis killed one after the other while the load runs; for the test and for the figures. */
import type { ClusterWorld } from './cluster-world.ts';
import type { LoadReport } from './load.ts';

export interface ScenarioOptions {
  readonly peers: number;
  readonly heartbeatMs: number;
  readonly answerMs: number;
  /** ms between two introductions to the same peer. */
  readonly probeMs: number;
  /** ms before the first blow; after a node was killed, which is longer than a heartbeat; and after anything else. */
  readonly quietMs: number;
  readonly nodeMs: number;
  readonly settleMs: number;
  readonly redisAwayMs: number;
  /** Also two of the three nodes at once. */
  readonly twoNodes: boolean;
}

const SESSIONS = 6;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function killEverythingOnce(world: ClusterWorld, options: ScenarioOptions): Promise<LoadReport> {
  const { peers, heartbeatMs, answerMs, probeMs, quietMs, nodeMs, settleMs, redisAwayMs, twoNodes } = options;
  const clients = await world.load({ peers, heartbeatMs, answerMs, probeMs, newMs: 60, sessions: SESSIONS });
  clients.mark('quiet');
  await pause(quietMs);
  clients.mark('node-killed');
  await world.kill('node2');
  await pause(nodeMs);
  clients.mark('node-back');
  await world.start('node2');
  clients.mark('relay-killed');
  const relay = await world.relayInUse();
  await world.kill(relay);
  await pause(settleMs);
  clients.mark('redis-killed');
  await world.redis.kill();
  await pause(redisAwayMs);
  await world.redis.start();
  clients.mark('redis-back');
  await pause(settleMs);
  if (twoNodes) {
    clients.mark('two-nodes-killed');
    await Promise.all([world.kill('node1'), world.kill('node3')]);
    await pause(nodeMs);
    await Promise.all([world.start('node1'), world.start('node3')]);
  }
  clients.mark('all-back');
  await pause(settleMs);
  return clients.end();
}
