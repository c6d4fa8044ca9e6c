/**
 * Several nodes as one server. The rules of rendezvous.ts stay those of a single node; what changes is where they run: a
 * request goes to the node that holds the peer and is decided there with a {@link RemoteClient} in the controller's place,
 * and an answer goes to where the request waits. So "only the peer that was asked may answer" is checked in one place, by
 * the code that checks it on a single node.
 */
import type { Clock } from '../../core/clock.ts';
import { decodeRendezvous, type HostPort } from '../../core/wire/index.ts';
import type { Client } from '../client.ts';
import type { Counters } from '../counters.ts';
import type { Introductions } from '../introductions.ts';
import type { ServerLimits } from '../limits.ts';
import type { PeerRow } from '../peer-store.ts';
import type { PeerTable } from '../peer-table.ts';
import { BATCH } from './batches.ts';
import { type BusMessage, decodeBusMessage, encodeBusMessage } from './bus-message.ts';
import { Claims } from './claims.ts';
import type { Directory, NodeState } from './directory.ts';
import { DirectoryGate } from './directory-gate.ts';
import { Forwards } from './forwards.ts';
import { OnlineQuery } from './online-query.ts';
import { RemoteClient } from './remote-client.ts';

/** Rows that all nodes read and write. */
export interface SharedRows {
  /** The row as it is now, for the next `get` of the store. Rejects while the store cannot be read. */
  refresh(id: string): Promise<PeerRow | null>;
  /** Writes rows back that the store has lost; rows that it has stay as they are. */
  restore(rows: readonly PeerRow[]): Promise<void>;
}

/** What a node does for others; rendezvous.ts. */
export interface ClusterRules {
  /** A request or an answer as if it had come on this client's connection. */
  onMessage(client: Client, bytes: Uint8Array): void;
  /** An answer that came by UDP at another node. */
  onRoutedDatagram(bytes: Uint8Array, from: HostPort): void;
  onClosed(client: Client): void;
  /** Whether a request of this client still waits. */
  waits(client: Client): boolean;
}

export interface ClusterOptions {
  readonly directory: Directory;
  readonly rows: SharedRows;
  readonly peers: PeerTable;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  /** What the rendezvous of any node introduced, the relay of any other may join. */
  readonly introductions: Introductions;
  readonly describe: () => Omit<NodeState, 'node'>;
  /** Another node says something about keys or enrolment. */
  readonly onEnrolment?: (text: string) => void;
  /** An operator changed settings at another node. */
  readonly onSettings?: (settings: LiveSettings) => void;
  /** Another node came, went or said something new. */
  readonly onNodes?: (nodes: NodeState[]) => void;
}

/** What an operator may change until the next start. */
export interface LiveSettings {
  readonly alwaysRelay?: boolean;
  readonly relays?: readonly string[];
}

export class Cluster {
  readonly #o: ClusterOptions;
  readonly #directory: Directory;
  #rules: ClusterRules | undefined;
  readonly #claims: Claims;
  readonly #gate: DirectoryGate;
  readonly #forwards: Forwards;
  readonly #online: OnlineQuery;
  /** Other nodes' clients that wait here. */
  readonly #remotes = new Map<string, RemoteClient>();
  readonly #stopListening: () => void;
  /** The note that is being made came from another node, and does not go out again. */
  #noting = false;
  #routedSlot = 0;
  #routedCount = 0;

  constructor(options: ClusterOptions) {
    this.#o = options;
    const { directory, limits, clock } = options;
    this.#directory = directory;
    this.#gate = new DirectoryGate(directory, limits, clock);
    this.#forwards = new Forwards(limits, clock);
    this.#online = new OnlineQuery(directory, limits, clock);
    this.#claims = new Claims({
      ...options,
      restore: (rows) => options.rows.restore(rows),
      send: (node, message) => this.#send(node, message),
    });
    this.#stopListening = options.introductions.onNote((uuid, { hosts }) => this.#introduced(uuid, hosts));
  }

  get connected(): boolean {
    return this.#directory.connected;
  }

  get node(): string {
    return this.#directory.node;
  }

  /** Peers registered here that all nodes can find. */
  get held(): number {
    return this.#claims.size;
  }

  nodes(): NodeState[] {
    return this.#directory.nodes();
  }

  /** @throws what the directory's start throws */
  async start(rules: ClusterRules): Promise<void> {
    this.#rules = rules;
    await this.#directory.start({
      onMessage: (from, message) => this.#onMessage(from, message),
      onConnected: () => {
        this.#gate.open();
        void this.#claims.resync();
      },
      onNodes: () => this.#o.onNodes?.(this.#directory.nodes()),
      describe: () => this.#o.describe(),
    });
  }

  async close(): Promise<void> {
    this.#stopListening();
    this.#gate.close();
    await this.#claims.releaseAll();
    await this.#directory.close();
  }

  // Registrations

  /** Brings memory up to date with the shared row, unless the peer is registered here. Rejects while that cannot be done. */
  async refresh(id: string): Promise<void> {
    const { peers, rows } = this.#o;
    const known = peers.inMemory(id);
    if (known && peers.isOnline(known)) return;
    await this.#gate.up();
    const row = await rows.refresh(id);
    peers.refresh(id, row);
  }

  /** The peer has registered here. Resolves when all nodes find it, or the directory is away; then it is told later. */
  claim(id: string): Promise<void> {
    return this.#claims.add(id);
  }

  /** The peer is not registered here any more. */
  release(id: string): void {
    this.#claims.release(id);
  }

  /** An operator had this id forgotten here; the other nodes forget it too. */
  removed(id: string): void {
    this.release(id);
    if (this.#directory.connected) this.#directory.broadcast(encodeBusMessage({ type: 'removed', ids: [id] }));
  }

  /** An operator changed settings here; the other nodes follow. */
  changed(settings: LiveSettings): void {
    if (this.#directory.connected) this.#directory.broadcast(encodeBusMessage({ type: 'settings', ...settings }));
  }

  /** Regular upkeep; call every few seconds. */
  sweep(): void {
    this.#claims.sweep();
    this.#forwards.sweep();
    for (const [key, remote] of this.#remotes) if (!this.#rules?.waits(remote)) this.#remotes.delete(key);
  }

  // Introductions

  /**
   * Hands a controller's request to the node that holds the peer. False: no other node does, and what memory says about the
   * peer is up to date. Rejects with {@link DirectoryDown} when nobody can tell.
   */
  async forward(client: Client, id: string, bytes: Uint8Array): Promise<boolean> {
    await this.#gate.up();
    const [holder] = await this.#directory.holders([id]);
    if (holder && holder !== this.node && !client.closed) {
      const entry = this.#forwards.enter(client, holder, id);
      if (entry === null) return this.#cut(client);
      const { kind, remote, localHost } = client;
      const message = { type: 'request', ref: entry.ref, kind, ...remote, localHost, bytes } as const;
      if (await this.#directory.send(holder, encodeBusMessage(message))) {
        this.#o.counters.count('cluster-forwarded', { id, from: remote.host, via: kind });
        return true;
      }
    }
    await this.refresh(id);
    return false;
  }

  /** An answer for which nobody waits here: it goes to the node that holds its sender, or without an id to all. */
  routeAnswer(kind: 'tcp' | 'ws' | 'udp', from: HostPort, id: string, bytes: Uint8Array): void {
    if (!this.#directory.connected || !this.#mayRoute()) return;
    const message = encodeBusMessage({ type: 'answer', kind, ...from, bytes });
    this.#o.counters.count('cluster-answer-routed', { id, from: from.host, via: kind });
    if (id === '') return this.#directory.broadcast(message);
    this.#directory
      .holders([id])
      .then(([holder]) => (holder && holder !== this.node ? this.#directory.send(holder, message) : false))
      .catch(() => {});
  }

  /** Whether this client waits for an answer through another node. */
  waits(client: Client): boolean {
    return this.#forwards.has(client);
  }

  onClosed(client: Client): void {
    const entry = this.#forwards.drop(client);
    for (const node of entry?.nodes ?? []) this.#send(node, { type: 'gone', ref: entry?.ref ?? 0 });
  }

  /** For each id whether it is online here or elsewhere, as its own node sees it. What cannot be asked counts as offline. */
  online(ids: readonly string[], here: (id: string) => boolean): Promise<boolean[]> {
    return this.#online.ask(ids, here);
  }

  #introduced(uuid: string, hosts: readonly string[]): void {
    if (!this.#noting && this.#directory.connected)
      this.#directory.broadcast(encodeBusMessage({ type: 'introduced', uuid, hosts }));
  }

  /** Tells all other nodes; lost when the directory is not there. */
  tellEnrolment(text: string): void {
    if (this.#directory.connected) this.#directory.broadcast(encodeBusMessage({ type: 'enrolment', text }));
  }

  // Messages of other nodes

  #onMessage(from: string, data: Uint8Array): void {
    const message = decodeBusMessage(data);
    const { peers } = this.#o;
    switch (message?.type) {
      case 'request':
        return this.#onRequest(from, message);
      case 'reply':
        return this.#onReply(message.ref, message.bytes);
      case 'cut':
        this.#forwards.get(message.ref)?.client.close();
        return;
      case 'gone': {
        const remote = this.#remotes.get(`${from}/${message.ref}`);
        this.#remotes.delete(`${from}/${message.ref}`);
        remote?.gone();
        if (remote) this.#rules?.onClosed(remote);
        return;
      }
      case 'answer':
        return this.#onAnswer(message);
      case 'moved':
        return void this.#claims.onMoved(message.ids);
      case 'removed':
        for (const id of message.ids.slice(0, BATCH)) {
          this.#claims.forget(id);
          peers.drop(id);
        }
        return;
      case 'settings':
        return this.#o.onSettings?.(message);
      case 'online': {
        const online = message.ids.slice(0, BATCH).map((id) => {
          const peer = peers.inMemory(id);
          return peer !== undefined && peers.isOnline(peer);
        });
        return this.#send(from, { type: 'states', ref: message.ref, online });
      }
      case 'states':
        return this.#online.onStates(message.ref, message.online);
      case 'introduced':
        this.#noting = true;
        this.#o.introductions.note(message.uuid, message.hosts, { told: true });
        this.#noting = false;
        return;
      case 'enrolment':
        return this.#o.onEnrolment?.(message.text);
      case undefined:
        this.#o.counters.count('cluster-not-a-message');
    }
  }

  #onReply(ref: number, bytes: Uint8Array): void {
    const entry = this.#forwards.get(ref);
    if (!entry) return;
    entry.client.send(bytes);
    if (!comesBeforeAnswer(bytes)) this.#forwards.answered(entry);
  }

  #onRequest(from: string, message: BusMessage & { type: 'request' }): void {
    const key = `${from}/${message.ref}`;
    let remote = this.#remotes.get(key);
    if (!remote || remote.closed) {
      if (this.#remotes.size >= this.#o.limits.maxForwardedClients) return this.#send(from, { type: 'cut', ref: message.ref });
      const { ref } = message;
      remote = new RemoteClient({
        kind: message.kind,
        remote: { host: message.host, port: message.port },
        localHost: message.localHost,
        onSend: (bytes) => this.#send(from, { type: 'reply', ref, bytes }),
        onCut: () => this.#send(from, { type: 'cut', ref }),
      });
      this.#remotes.set(key, remote);
    }
    this.#rules?.onMessage(remote, message.bytes);
  }

  #onAnswer(message: BusMessage & { type: 'answer' }): void {
    const remote = { host: message.host, port: message.port };
    if (message.kind === 'udp') return this.#rules?.onRoutedDatagram(message.bytes, remote);
    const nothing = (): void => {};
    const client = new RemoteClient({ kind: message.kind, remote, localHost: '', onSend: nothing, onCut: nothing });
    this.#rules?.onMessage(client, message.bytes);
  }

  #send(node: string, message: BusMessage): void {
    this.#directory.send(node, encodeBusMessage(message)).catch(() => {});
  }

  #cut(client: Client): true {
    this.#o.counters.count('punch-too-many', { from: client.remote.host, via: client.kind });
    client.close();
    return true;
  }

  /** Answers that fit nothing cost the others a message each: not more of them than that. */
  #mayRoute(): boolean {
    const slot = Math.floor(this.#o.clock.now() / 1000);
    if (slot !== this.#routedSlot) {
      this.#routedSlot = slot;
      this.#routedCount = 0;
    }
    return ++this.#routedCount <= this.#o.limits.maxRoutedAnswersPerSecond;
  }
}

/** Where the controller may meet the peer while that has not answered yet; the question stays open. */
function comesBeforeAnswer(reply: Uint8Array): boolean {
  try {
    return decodeRendezvous(reply).union === 'relayMeeting';
  } catch {
    return false;
  }
}
