import { afterAll, describe, expect, test } from 'vitest';
import { buildCli } from '../lib/cli-process.ts';
import { directPath, eventOf, World } from '../lib/world.ts';
import { labUnavailable, type NatKind } from '../natlab/index.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, server restart: ${unavailable}`);
else buildCli();

/** Heartbeats come every 15 s; the rest is for a machine that is busy with other things. */
const REACHABLE_AGAIN_MS = 60_000;

/** Side by side: each has a lab of its own, and waits for heartbeats. */
describe.skipIf(unavailable !== null).concurrent('a server killed and restarted', () => {
  const worlds = new Set<World>();
  afterAll(() => Promise.all([...worlds].map((world) => world.lab.destroy())));

  test.each(['port-restricted', 'udp-blocked'] as NatKind[])(
    'peers behind %s are reachable again with their next heartbeat, and a direct session does not notice',
    async (kind) => {
      const world = await World.create({ b: kind, a: 'port-restricted' });
      worlds.add(world);
      const host = await world.startHost('b');
      const session = world.startConnect('a', host.id, ['--hold', '600']);
      expect(await directPath(session)).not.toBe('relay');

      await world.server.stop('SIGKILL');
      await world.startServer();
      const deadline = performance.now() + REACHABLE_AGAIN_MS;
      let result = await world.connect('a', host.id);
      while (result.code !== 0 && performance.now() < deadline) result = await world.connect('a', host.id);
      expect(eventOf(result, 'connected')).toMatchObject({ encrypted: true, peerVerified: true });

      expect(session.events.map(({ event }) => event).filter((event) => event !== 'path-changed')).toEqual(['connected']);
      const ended = await session.stop('SIGINT');
      expect(ended.code).toBe(0);
    },
  );
});
