/** Ways of a session for the stand-in bridge. */
import type { LiteDeskApi } from '../../shared/ipc.ts';
import type { SessionRoute } from '../../shared/route.ts';

const NOW = Date.now();
const path = (id: number, kind: SessionRoute['path'], active: boolean, rttMs: number): SessionRoute['paths'][number] => ({
  id,
  kind,
  active,
  rttMs,
  localAddress: '192.168.1.20:50112',
  remoteAddress: '203.0.113.7:49152',
});

const DIRECT: SessionRoute = {
  path: 'udp',
  encrypted: true,
  paths: [path(1, 'relay', false, 61), path(2, 'udp', true, 23)],
  attempts: [
    { path: 'relay', outcome: 'ok', ms: 184, reason: '' },
    { path: 'lan', outcome: 'failed', ms: 1_000, reason: 'no answer from 192.168.1.31:21118' },
    { path: 'tcp', outcome: 'cancelled', ms: 212, reason: 'another path was first' },
    { path: 'udp', outcome: 'ok', ms: 342, reason: '' },
  ],
  changes: [{ atMs: NOW - 90_000, from: 'relay', to: 'udp', pauseMs: 3.2, reason: 'a better path' }],
};

const RELAYED: SessionRoute = {
  path: 'relay',
  encrypted: true,
  paths: [path(1, 'relay', true, 61)],
  attempts: [
    { path: 'relay', outcome: 'ok', ms: 184, reason: '' },
    { path: 'lan', outcome: 'failed', ms: 1_000, reason: 'no answer from 192.168.1.31:21118' },
    { path: 'ipv6', outcome: 'failed', ms: 12, reason: 'one side has no IPv6 address' },
    { path: 'tcp', outcome: 'failed', ms: 6_000, reason: 'one NAT picks a port at random for each connection' },
    {
      path: 'udp',
      outcome: 'failed',
      ms: 8_000,
      reason: 'both NATs give each destination another port, one of them at random: neither side can know where to send',
    },
  ],
  changes: [],
};

function routeOf(scene: string): SessionRoute {
  switch (scene) {
    case 'relayed':
      return RELAYED;
    case 'searching':
      return { ...RELAYED, attempts: RELAYED.attempts.slice(0, 1) };
    case 'lan':
      return { ...DIRECT, path: 'lan', paths: [path(1, 'lan', true, 0.6)], attempts: [{ path: 'lan', outcome: 'ok', ms: 6, reason: '' }], changes: [] };
    default:
      return DIRECT;
  }
}

type RouteApi = Pick<LiteDeskApi, 'getRoute' | 'onRoute' | 'giveCode' | 'trustKey'>;

export function mockRoute(scene: string, called: (name: string) => void): RouteApi {
  const done = async (name: string) => {
    called(name);
    return { ok: true as const, value: null };
  };
  return {
    getRoute: async () => ({ ok: true, value: routeOf(scene) }),
    onRoute: () => () => undefined,
    giveCode: (_id, code) => done(`giveCode ${code}`),
    trustKey: () => done('trustKey'),
  };
}
