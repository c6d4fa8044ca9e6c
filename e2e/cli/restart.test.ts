import { afterEach, describe, expect, test } from 'vitest';
import { buildCli } from '../lib/cli-process.ts';
import { directPath, eventOf, World } from '../lib/world.ts';
import { labUnavailable, type NatKind } from '../natlab/index.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, server restart: ${unavailable}`);
else buildCli();

/** The promise to users: this long after a server is back, its peers can be reached again. */
const REACHABLE_AGAIN_MS = 20_000;

describe.skipIf(unavailable !== null)('a server killed and restarted', () => {
  let world: World | undefined;
  afterEach(async () => {
    await world?.lab.destroy();
    world = undefined;
  });

  test.each(['port-restricted', 'udp-blocked'] as NatKind[])(
    'peers behind %s are reachable again within 20 s, and a direct session does not notice',
    async (kind) => {
      world = await World.create({ b: kind, a: 'port-restricted' });
      const host = await world.startHost('b');
      const session = world.startConnect('a', host.id, ['--hold', '600']);
      expect(await directPath(session)).not.toBe('relay');

      await world.server.stop('SIGKILL');
      await world.startServer();
      const backMs = Date.now();
      let result = await world.connect('a', host.id);
      while (result.code !== 0 && Date.now() - backMs < REACHABLE_AGAIN_MS) result = await world.connect('a', host.id);
      expect(eventOf(result, 'connected')).toMatchObject({ encrypted: true, peerVerified: true });
      expect(Date.now() - backMs).toBeLessThan(REACHABLE_AGAIN_MS + 3_000);

      expect(session.events.map(({ event }) => event).filter((event) => event !== 'path-changed')).toEqual(['connected']);
      const ended = await session.stop('SIGINT');
      expect(ended.code).toBe(0);
    },
  );
});
