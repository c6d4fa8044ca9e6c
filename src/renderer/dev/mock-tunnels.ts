/** Tunnels of the stand-in bridge, in the states that a page can meet. */
import type { LiteDeskApi } from '../../shared/ipc.ts';
import type { ForwardTunnel, Tunnel } from '../../shared/tunnels.ts';
import type { TunnelEntry, TunnelStatus, TunnelsState } from '../../shared/tunnels-state.ts';

const NOTEBOOK = '401882731';
const SERVER = '88123004';

const wave = (scale: number, phase: number): number[] =>
  Array.from({ length: 60 }, (_, i) => Math.max(0, scale * (0.55 + 0.45 * Math.sin(i / 5 + phase)) * (i % 7 === 0 ? 0.4 : 1)));

function forward(change: Partial<ForwardTunnel> & { id: string }): ForwardTunnel {
  return {
    name: '',
    run: true,
    kind: 'tcp',
    peer: SERVER,
    listenOn: 'this-computer',
    listenPort: 8080,
    host: 'localhost',
    port: 80,
    ...change,
  };
}

function entry(tunnel: Tunnel, change: Partial<TunnelStatus> = {}): TunnelEntry {
  return {
    tunnel,
    hasProxyPassword: false,
    status: {
      id: tunnel.id,
      phase: 'ready',
      address: '127.0.0.1:8080',
      path: 'udp',
      encrypted: true,
      stock: false,
      streams: 0,
      streamsTotal: 12,
      bytesIn: 81_300_000,
      bytesOut: 2_100_000,
      rates: { inBps: [], outBps: [] },
      retryInMs: null,
      error: null,
      ...change,
    },
  };
}

const GUARDED = {
  more: [{ host: '10.0.0.5', port: 3000 }],
  allow: ['203.0.113.0/24'],
  user: 'guest',
  health: '/healthz',
  maxConnections: 50,
  bandwidthMbps: 0,
};

function tunnelsOf(scene: string): TunnelsState {
  const viewers = { rdp: true, vnc: false };
  if (scene !== 'tunnels') return { tunnels: [], rules: [], viewers };
  return {
    viewers,
    rules: [
      { id: 'r1', peer: NOTEBOOK, kind: 'tcp', host: '192.168.1.10', firstPort: 22, lastPort: 22 },
      { id: 'r2', peer: '', kind: 'any', host: '*', firstPort: 1, lastPort: 65_535 },
      { id: 'r3', peer: '1334455667', kind: 'udp', host: 'localhost', firstPort: 27_000, lastPort: 27_100 },
    ],
    tunnels: [
      entry(forward({ id: 't1', name: 'Wiki', host: 'wiki.internal.example.org' }), {
        streams: 3,
        rates: { inBps: wave(410_000, 0), outBps: wave(60_000, 2) },
      }),
      entry(forward({ id: 't2', kind: 'rdp', listenPort: 0, port: 3389, peer: NOTEBOOK }), {
        address: '127.0.0.1:40231',
        path: 'relay',
        streams: 1,
        rates: { inBps: wave(30_000, 1).slice(30), outBps: wave(3_000, 0).slice(30) },
      }),
      entry({ id: 't3', name: '', run: true, kind: 'proxy', peer: SERVER, listenOn: 'network', listenPort: 1080, user: 'office' }, {
        phase: 'waiting',
        address: '0.0.0.0:1080',
        path: null,
        retryInMs: 8_000,
      }),
      entry(forward({ id: 't4', name: 'Accounts database of the main office in Rotterdam', port: 5432, listenPort: 5432, peer: '1334455667' }), {
        phase: 'failed',
        address: '',
        path: null,
        error: {
          code: 'TUNNEL_LISTEN_FAILED',
          stage: 'session',
          message: 'Nothing can listen on 127.0.0.1:5432 here (EADDRINUSE).',
          hint: 'Another program uses this port; choose another, or 0 for any.',
        },
      }),
      entry(forward({ id: 't5', kind: 'vnc', listenPort: 5901, port: 5900 }), { address: '127.0.0.1:5901', path: 'lan' }),
      entry(forward({ id: 't9', name: 'Old notebook', listenPort: 2222, port: 22 }), { address: '127.0.0.1:2222', path: null, encrypted: false, stock: true, streams: 1 }),
      entry(forward({ id: 't6', kind: 'udp', name: 'Game server', port: 27_015, listenPort: 27_015, run: false }), {
        phase: 'stopped',
        address: '',
        path: null,
      }),
      entry(forward({ id: 't7', port: 443, listenPort: 8443, peer: '1334455667' }), { phase: 'password', address: '', path: null }),
      entry(
        { id: 't8', name: '', run: true, kind: 'publish', protocol: 'http', host: 'localhost', port: 3000, publicPort: 0, publicHost: 'files.example.org', ...GUARDED },
        { address: 'http://files.example.org', path: null, streams: 2, rates: { inBps: wave(9_000, 3), outBps: wave(900_000, 0) } },
      ),
    ],
  };
}

type TunnelApi = Pick<
  LiteDeskApi,
  'getTunnels' | 'onTunnels' | 'saveTunnel' | 'removeTunnel' | 'restoreTunnel' | 'runTunnel' | 'openViewer' | 'saveRule' | 'removeRule'
>;

/** The commands about tunnels over a state of their own; `called` keeps the list of commands. */
export function mockTunnels(scene: string, called: (name: string) => void): TunnelApi {
  let state = tunnelsOf(scene);
  const before = state;
  const listeners = new Set<(state: TunnelsState) => void>();
  const change = async (name: string, to: Partial<TunnelsState>) => {
    called(name);
    state = { ...state, ...to };
    for (const listener of listeners) listener(state);
    return { ok: true as const, value: null };
  };
  return {
    getTunnels: async () => ({ ok: true, value: state }),
    onTunnels: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    saveTunnel: (tunnel, secrets) => {
      const made = entry(tunnel, { phase: tunnel.run ? 'starting' : 'stopped', address: '', path: null });
      const known = state.tunnels.some((each) => each.tunnel.id === tunnel.id);
      return change(`saveTunnel ${JSON.stringify(tunnel)} ${Object.keys(secrets).join()}`, {
        tunnels: known ? state.tunnels.map((each) => (each.tunnel.id === tunnel.id ? made : each)) : [...state.tunnels, made],
      });
    },
    removeTunnel: (id) => change(`removeTunnel ${id}`, { tunnels: state.tunnels.filter((each) => each.tunnel.id !== id) }),
    restoreTunnel: (id) =>
      change(`restoreTunnel ${id}`, { tunnels: before.tunnels.filter((each) => each.tunnel.id === id || state.tunnels.includes(each)) }),
    runTunnel: (id, run) =>
      change(`runTunnel ${id} ${run}`, {
        tunnels: state.tunnels.map((each) =>
          each.tunnel.id === id ? entry({ ...each.tunnel, run }, { phase: run ? 'starting' : 'stopped', address: '', path: null }) : each,
        ),
      }),
    openViewer: (id) => change(`openViewer ${id}`, {}),
    saveRule: (rule) => change(`saveRule ${JSON.stringify(rule)}`, { rules: [...state.rules, rule] }),
    removeRule: (id) => change(`removeRule ${id}`, { rules: state.rules.filter((rule) => rule.id !== id) }),
  };
}
