/** Nodes without sockets for the tests of this folder: the real rules, with clients and UDP paths that only remember. */
import { VirtualClock } from '../../core/clock.ts';
import { initCrypto, signKeyPair } from '../../core/crypto/index.ts';
import { decodeRendezvous, encodeRendezvous, type HostPort, hbb } from '../../core/wire/index.ts';
import type { Client, UdpPath } from '../client.ts';
import { Counters } from '../counters.ts';
import { Introductions } from '../introductions.ts';
import type { ServerKeySet } from '../key-ring.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import type { PeerRow, PeerStore } from '../peer-store.ts';
import { PeerTable } from '../peer-table.ts';
import { Rendezvous } from '../rendezvous.ts';
import { Cluster, type SharedRows, type LiveSettings } from './cluster.ts';
import type { Directory } from './directory.ts';
import { Hub } from './hub.ts';
import { MemoryDirectory } from './test-directory.ts';

await initCrypto();
const KEYS = { secretKey: signKeyPair().secretKey, publicKey: '' };
/** Takes every licence_key, and has one pair. */
const KEY_RING: ServerKeySet = {
  current: KEYS,
  publicKey: KEYS.publicKey,
  accepts: () => true,
  signerFor: () => KEYS,
  newerThan: () => null,
  statementsFrom: () => [],
};

/** The database that all nodes share. */
class SharedStore implements PeerStore, SharedRows {
  readonly kind = 'shared';
  readonly rows = new Map<string, PeerRow>();
  down = false;

  get(id: string): PeerRow | null {
    return this.rows.get(id) ?? null;
  }

  save(row: PeerRow, done: (error: Error | null) => void): void {
    if (this.down) return done(new Error('down'));
    this.rows.set(row.id, row);
    done(null);
  }

  count(): number {
    return this.rows.size;
  }

  close(): void {}

  async refresh(id: string): Promise<PeerRow | null> {
    if (this.down) throw new Error('down');
    return this.rows.get(id) ?? null;
  }

  async restore(rows: readonly PeerRow[]): Promise<void> {
    for (const row of rows) if (!this.rows.has(row.id)) this.rows.set(row.id, row);
  }
}

export class FakeClient implements Client {
  readonly kind: 'tcp' | 'ws';
  readonly remote: HostPort;
  readonly localHost = '192.0.2.1';
  readonly got: hbb.RendezvousMessage[] = [];
  closed = false;
  presence = false;

  constructor(host: string, port: number, kind: 'tcp' | 'ws' = 'tcp') {
    this.remote = { host, port };
    this.kind = kind;
  }

  send(payload: Uint8Array): void {
    this.got.push(decodeRendezvous(payload));
  }

  close(): void {
    this.closed = true;
  }

  keepAsPresence(): void {
    this.presence = true;
  }
}

class FakePath implements UdpPath {
  readonly localHost = '192.0.2.1';
  readonly got: { message: hbb.RendezvousMessage; to: HostPort }[] = [];

  send(payload: Uint8Array, to: HostPort): void {
    this.got.push({ message: decodeRendezvous(payload), to });
  }

  take(): hbb.RendezvousMessage | undefined {
    return this.got.shift()?.message;
  }
}

export interface TestNode {
  readonly name: string;
  readonly rendezvous: Rendezvous;
  readonly cluster: Cluster;
  readonly directory: MemoryDirectory;
  readonly counters: Counters;
  readonly peers: PeerTable;
  readonly introductions: Introductions;
  readonly path: FakePath;
  /** What operators of other nodes changed. */
  readonly settings: readonly LiveSettings[];
  datagram(message: hbb.IRendezvousMessage, from: HostPort): Promise<void>;
  message(client: Client, message: hbb.IRendezvousMessage): Promise<void>;
}

export class TestCluster {
  readonly clock = new VirtualClock();
  readonly store = new SharedStore();
  readonly hub = new Hub(() => this.clock.now());

  async node(name: string, directory: Directory & MemoryDirectory = new MemoryDirectory(this.hub, name)): Promise<TestNode> {
    const { clock, store } = this;
    const counters = new Counters();
    const limits = DEFAULT_LIMITS;
    const peers = new PeerTable(store, limits, clock, true);
    const introductions = new Introductions(limits, clock);
    const describe = () => ({ key: 'k', relay: null, peers: peers.size });
    const settings: LiveSettings[] = [];
    const onSettings = (changed: LiveSettings): void => void settings.push(changed);
    const cluster = new Cluster({ directory, rows: store, peers, limits, clock, counters, introductions, describe, onSettings });
    const rendezvous = new Rendezvous({
      ...{ peers, limits, clock, counters, cluster, introductions, keys: KEY_RING },
      ...{ pickRelay: () => '', relayPort: 21117, relayUdp: false, port: 21116, natTestPort: 21115, dialBack: null, singlePort: 0, publicHost: '', alwaysRelay: false, isLan: () => false, localIp: '' },
      ...{ serial: 0, rendezvousServers: [] },
    });
    await cluster.start(rendezvous);
    const path = new FakePath();
    return {
      ...{ name, rendezvous, cluster, directory, counters, peers, introductions, path, settings },
      datagram: async (message, from) => {
        rendezvous.onDatagram(encodeRendezvous(message), from, path);
        await settled();
      },
      message: async (client, message) => {
        rendezvous.onMessage(client, encodeRendezvous(message));
        await settled();
      },
    };
  }
}

/** Everything that was queued has happened; nothing here waits for a socket. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}
