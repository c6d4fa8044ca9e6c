/** Nodes, a relay in use and Redis killed one after the other while the load runs; for the test and for the figures. */
import type { ClusterWorld } from './cluster-world.ts';
import type { LoadReport } from './load.ts';

export interface ScenarioOptions {
  readonly peers: number;
  readonly heartbeatMs: number;
  readonly answerMs: number;
  /** ms that things may take to settle after each blow; longer than a heartbeat. */
  readonly settleMs: number;
  readonly redisAwayMs: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function killEverythingOnce(world: ClusterWorld, options: ScenarioOptions): Promise<LoadReport> {
  const { settleMs, redisAwayMs, ...load } = options;
  const clients = await world.load({ ...load, probeMs: 500, newMs: 40, sessions: 8 });
  clients.mark('quiet');
  await pause(settleMs / 2);
  clients.mark('node-killed');
  await world.kill('node2');
  await pause(settleMs);
  await world.start('node2');
  clients.mark('relay-killed');
  const relay = await world.relayInUse();
  await world.kill(relay);
  await pause(settleMs);
  await world.start(relay);
  clients.mark('redis-killed');
  await world.redis.kill();
  await pause(redisAwayMs);
  await world.redis.start();
  clients.mark('redis-back');
  await pause(settleMs);
  clients.mark('two-nodes-killed');
  await Promise.all([world.kill('node1'), world.kill('node3')]);
  await pause(settleMs);
  await Promise.all([world.start('node1'), world.start('node3')]);
  clients.mark('all-back');
  await pause(settleMs / 2);
  return clients.end();
}
