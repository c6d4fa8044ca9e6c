/** A server's part in a cluster, put together from its own parts. */
import type { Clock } from '../../core/clock.ts';
import { LiteDeskError } from '../../core/errors.ts';
import type { Counters } from '../counters.ts';
import type { Introductions } from '../introductions.ts';
import type { KeyRing } from '../key-ring.ts';
import type { ServerLimits } from '../limits.ts';
import type { PeerTable } from '../peer-table.ts';
import type { RelayChoice } from '../relay-choice.ts';
import { Cluster, type LiveSettings, type SharedRows } from './cluster.ts';
import type { Directory } from './directory.ts';
import { type MeasuredRelay, RelayGauge } from './relay-gauge.ts';

export interface JoinOptions {
  readonly peers: PeerTable;
  readonly counters: Counters;
  readonly introductions: Introductions;
  readonly relay: MeasuredRelay;
  readonly relays: RelayChoice;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly keys: Pick<KeyRing, 'publicKey' | 'accepts'>;
  readonly onSettings: (settings: LiveSettings) => void;
  /** 0: no relay here. */
  readonly relayPort: number;
  /** Where clients reach the relay; absent: `relayPort` at `host`. */
  readonly relayAddress: string | undefined;
  readonly host: string;
  readonly onEnrolment: (text: string) => void;
}

/** The cluster, not started yet; from its start on `relays` knows the relays of all nodes, ours among them. */
export function joinCluster(directory: Directory, rows: SharedRows, options: JoinOptions): Cluster {
  const { relay, relays, keys, relayPort, host, limits, clock, peers, counters, introductions, onSettings } = options;
  const address = options.relayAddress ?? `${host.includes(':') ? `[${host}]` : host}:${relayPort}`;
  const gauge = relayPort > 0 ? new RelayGauge(relay, address, limits, clock) : null;
  let own = gauge?.read() ?? null;
  const cluster: Cluster = new Cluster({
    ...{ directory, rows, peers, counters, introductions, limits, clock, onSettings },
    onEnrolment: options.onEnrolment,
    describe: () => {
      own = gauge?.read() ?? null;
      return { key: keys.publicKey, peers: cluster.held, relay: own };
    },
    onNodes: (nodes) => relays.announce([own, ...nodes.map((node) => node.relay)].filter((state) => state !== null)),
  });
  return cluster;
}

/**
 * Nodes with different keys would sign for each other's peers, and no client could tell which is right.
 * @throws LiteDeskError NODE_KEYS_DIFFER
 */
export function refuseOtherKeys(cluster: Cluster, keys: Pick<KeyRing, 'publicKey' | 'accepts'>): void {
  // One that has not followed a rotation yet still has a key that we accept.
  const other = cluster.nodes().find((node) => !keys.accepts(node.key));
  if (!other) return;
  throw new LiteDeskError({
    code: 'NODE_KEYS_DIFFER',
    stage: 'server',
    message: `Another node that shares this store has the key ${other.key || '(none)'}, this one has ${keys.publicKey || '(none)'}.`,
    hint: 'Give all nodes the same key pair: copy id_ed25519, id_ed25519.pub and retired-keys.json of the first one to the data folder of each other one.',
  });
}
