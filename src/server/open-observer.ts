/** Metrics, status page and self-test, put together over the parts of a server. */
import type { Clock } from '../core/clock.ts';
import type { Admission } from './admission.ts';
import type { ServerOptions } from './contract.ts';
import type { Counters } from './counters.ts';
import type { KeyRing } from './key-ring.ts';
import type { ServerLimits } from './limits.ts';
import type { Lobby } from './lobby/lobby.ts';
import { Observer } from './observe/index.ts';
import { createRelayTest } from './observe/relay-test.ts';
import { createSelfTest } from './observe/self-test.ts';
import { statusToken } from './observe/status-token.ts';
import { firstAddress } from './own-address.ts';
import type { PeerStore } from './peer-store.ts';
import { isLoopback, type PeerTable } from './peer-table.ts';
import type { ServerPorts } from './ports.ts';
import type { Publishing } from './publish/publishing.ts';
import type { Relay } from './relay.ts';
import type { RelayChoice } from './relay-choice.ts';
import type { Rendezvous } from './rendezvous.ts';
import { SERVER_VERSION } from './version.ts';

/** ms for which the number of rows is taken to stay. */
const ROWS_CACHE_MS = 10_000;

/** What metrics and status page look at. */
export interface Observed {
  readonly keys: KeyRing;
  readonly counters: Counters;
  readonly peers: PeerTable;
  readonly admission: Admission;
  readonly rendezvous: Rendezvous;
  readonly relay: Relay;
  readonly relays: RelayChoice;
  readonly store: PeerStore;
  readonly wanted: ServerPorts;
  readonly lobby: Lobby | null;
  readonly cluster: { readonly connected: boolean } | null;
  readonly publishing: Publishing | null;
  readonly limits: ServerLimits;
  readonly clock: Clock;
}

/** The caller closes it. */
export function openObserver(options: ServerOptions, parts: Observed): Observer {
  const { counters, peers, admission, rendezvous, relay, relays, store, keys, wanted } = parts;
  const { http, bind, dataDir, log, logIds = false, relayOnly = false, worker } = options;
  // A port of this computer only is protected by that; any other needs a token.
  const open = (http !== undefined && !isLoopback(http.host)) || wanted.single > 0;
  // Counting many rows takes the store a while.
  const rows = remember(parts.clock, ROWS_CACHE_MS, () => store.count());
  return new Observer({
    counters,
    limits: parts.limits,
    clock: parts.clock,
    write: log,
    wholeIds: logIds,
    watched: http !== undefined || wanted.single > 0,
    workers: worker?.numbers && { isFirst: worker.index === 0, channel: worker.numbers },
    token: http || open ? statusToken(dataDir, open) : '',
    selfTest: (relayOnly ? createRelayTest : createSelfTest)({
      host: bind === undefined || bind === '0.0.0.0' ? '127.0.0.1' : bind === '::' ? '::1' : bind,
      port: wanted.rendezvous || wanted.single,
      relayPort: relays.configured === 0 ? wanted.relay || wanted.single : 0,
      get licenceKey() {
        return keys.publicKey;
      },
      get publicKey() {
        return keys.current.secretKey.subarray(32);
      },
      get secretKey() {
        return keys.current.secretKey;
      },
    }),
    view: {
      version: SERVER_VERSION,
      startedAt: Date.now(),
      census: () => peers.slowCensus(),
      peers: (limit) => peers.here(limit),
      connections: () => admission.total,
      pendingRequests: () => rendezvous.pendingAsks,
      relay: () => ({ pairs: relay.pairs, waiting: relay.waiting, bytes: relay.bytes }),
      relaySessions: (limit) => relay.sessions(limit),
      relays: () => relays.lines,
      store: () => ({ kind: store.kind, rows: rows(), connected: parts.cluster?.connected ?? true }),
      lobby: () => parts.lobby?.size ?? null,
      published: () => parts.publishing?.numbers ?? null,
    },
  });
}

/** Where the status page is; '' without one. */
export function statusUrl(bind: string, port: number): string {
  if (port === 0) return '';
  const host = bind === '0.0.0.0' || bind === '::' ? firstAddress() || '127.0.0.1' : bind;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;
}

/** `read`, at most every `forMs`. */
function remember<T>(clock: Clock, forMs: number, read: () => T): () => T {
  let kept: { readonly value: T; readonly at: number } | null = null;
  return () => {
    if (!kept || clock.now() - kept.at >= forMs) kept = { value: read(), at: clock.now() };
    return kept.value;
  };
}
