/**
 * Several nodes as one server. The rules of rendezvous.ts stay those of a single node; what changes is where they run: a
 * request goes to the node that holds the peer and is decided there with a {@link RemoteClient} in the controller's place,
 * and an answer goes to where the request waits. So "only the peer that was asked may answer" is checked in one place, by
 * the code that checks it on a single node.
 */
import type { Clock } from '../../core/clock.ts';
import type { HostPort } from '../../core/wire/index.ts';
import type { Client } from '../client.ts';
import type { Counters } from '../counters.ts';
import type { Introductions } from '../introductions.ts';
import type { ServerLimits } from '../limits.ts';
import type { PeerRow } from '../peer-store.ts';
import type { PeerTable } from '../peer-table.ts';
import { type BusMessage, decodeBusMessage, encodeBusMessage } from './bus-message.ts';
import { type Directory, DirectoryDown, type NodeState } from './directory.ts';
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

interface Forwarded {
  readonly client: Client;
  readonly nodes: Set<string>;
  /** Ids asked for and not answered. */
  readonly open: Set<string>;
  lastAt: number;
}

const BATCH = 500;

export class Cluster {
  readonly #o: ClusterOptions;
  readonly #directory: Directory;
  #rules: ClusterRules | undefined;
  /** Peers that others find here, with the time of the last claim. */
  readonly #held = new Map<string, number>();
  /** Our clients that wait for an answer from another node, by the number they have there. */
  readonly #forwarded = new Map<number, Forwarded>();
  readonly #refs = new Map<Client, number>();
  /** Other nodes' clients that wait here. */
  readonly #remotes = new Map<string, RemoteClient>();
  readonly #onlineQueries = new Map<number, (online: readonly boolean[]) => void>();
  readonly #waitingForDirectory = new Set<() => void>();
  readonly #stopListening: () => void;
  /** The note that is being made came from another node, and does not go out again. */
  #noting = false;
  readonly #toClaim: string[] = [];
  #claiming: Promise<unknown> | undefined;
  #nextRef = 1;
  #routedSlot = 0;
  #routedCount = 0;
  #resyncing = false;
  #closed = false;

  constructor(options: ClusterOptions) {
    this.#o = options;
    this.#directory = options.directory;
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
    return this.#held.size;
  }

  nodes(): NodeState[] {
    return this.#directory.nodes();
  }

  /** @throws what the directory's start throws */
  async start(rules: ClusterRules): Promise<void> {
    this.#rules = rules;
    await this.#directory.start({
      onMessage: (from, message) => this.#onMessage(from, message),
      onConnected: () => this.#onConnected(),
      onNodes: () => this.#o.onNodes?.(this.#directory.nodes()),
      describe: () => this.#o.describe(),
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening();
    for (const wake of [...this.#waitingForDirectory]) wake();
    // Those who come to us are found nowhere until they register anew, which their next heartbeat makes them do.
    if (this.#directory.connected)
      for (const ids of batches([...this.#held.keys()], BATCH)) await this.#directory.release(ids).catch(() => {});
    await this.#directory.close();
  }

  // Registrations

  /** Brings memory up to date with the shared row, unless the peer is registered here. Rejects while that cannot be done. */
  async refresh(id: string): Promise<void> {
    const { peers, rows } = this.#o;
    const known = peers.inMemory(id);
    if (known && peers.isOnline(known)) return;
    await this.#up();
    const row = await rows.refresh(id);
    peers.refresh(id, row);
  }

  /** The peer has registered here. Resolves when all nodes find it, or the directory is away; then it is told later. */
  claim(id: string): Promise<void> {
    this.#held.set(id, this.#o.clock.now());
    this.#toClaim.push(id);
    // Those that one commit has put on disk are told in one message.
    this.#claiming ??= Promise.resolve().then(() => {
      this.#claiming = undefined;
      const ids = this.#toClaim.splice(0);
      return Promise.all(batches(ids, BATCH).map((part) => this.#claim(part))).catch(() => {
        for (const late of ids) this.#o.counters.count('cluster-claim-late', { id: late });
      });
    });
    return this.#claiming.then(() => {});
  }

  /** The peer is not registered here any more. */
  release(id: string): void {
    if (!this.#held.delete(id)) return;
    this.#directory.release([id]).catch(() => {});
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
    const { peers, limits, clock } = this.#o;
    const now = clock.now();
    const offline: string[] = [];
    const due: string[] = [];
    for (const [id, claimedAt] of this.#held) {
      const peer = peers.inMemory(id);
      if (!peer || !peers.isOnline(peer)) offline.push(id);
      else if (now - claimedAt >= limits.claimRefreshMs) due.push(id);
    }
    for (const id of offline) this.#held.delete(id);
    if (this.#directory.connected) {
      for (const ids of batches(offline, BATCH)) this.#directory.release(ids).catch(() => {});
      for (const ids of batches(due, BATCH)) this.#claim(ids).catch(() => {});
    }
    for (const [ref, entry] of this.#forwarded)
      if (now - entry.lastAt > limits.askLifetimeMs) this.#forget(ref, entry.client);
    for (const [key, remote] of this.#remotes) if (!this.#rules?.waits(remote)) this.#remotes.delete(key);
  }

  // Introductions

  /**
   * Hands a controller's request to the node that holds the peer. False: no other node does, and what memory says about the
   * peer is up to date. Rejects with {@link DirectoryDown} when nobody can tell.
   */
  async forward(client: Client, id: string, bytes: Uint8Array): Promise<boolean> {
    await this.#up();
    const [holder] = await this.#directory.holders([id]);
    if (holder && holder !== this.node && !client.closed) {
      const entry = this.#enter(client);
      if (entry === null) return this.#cut(client);
      entry.forwarded.nodes.add(holder);
      entry.forwarded.open.add(id);
      entry.forwarded.lastAt = this.#o.clock.now();
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
    return this.#refs.has(client);
  }

  onClosed(client: Client): void {
    const ref = this.#refs.get(client);
    if (ref === undefined) return;
    const nodes = this.#forget(ref, client);
    for (const node of nodes) this.#send(node, { type: 'gone', ref });
  }

  /** For each id whether it is online here or elsewhere, as its own node sees it. What cannot be asked counts as offline. */
  async online(ids: readonly string[], here: (id: string) => boolean): Promise<boolean[]> {
    const online = ids.map(here);
    const byNode = new Map<string, number[]>();
    try {
      const open = ids.flatMap((id, i) => (online[i] || id === '' ? [] : [i]));
      for (const part of batches(open, BATCH)) {
        const holders = await this.#directory.holders(part.map((i) => ids[i] ?? ''));
        holders.forEach((holder, at) => {
          const i = part[at];
          if (holder === null || holder === this.node || i === undefined) return;
          const there = byNode.get(holder);
          if (there) there.push(i);
          else byNode.set(holder, [i]);
        });
      }
    } catch {
      return online;
    }
    const questions = [...byNode].flatMap(([node, indexes]) => batches(indexes, BATCH).map((part) => ({ node, part })));
    await Promise.all(
      questions.map(async ({ node, part }) => {
        const states = await this.#askOnline(node, part.map((i) => ids[i] ?? ''));
        part.forEach((i, at) => {
          online[i] = states[at] ?? false;
        });
      }),
    );
    return online;
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
        this.#forwarded.get(message.ref)?.client.close();
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
        return void this.#onMoved(message.ids);
      case 'removed':
        for (const id of message.ids.slice(0, BATCH)) {
          this.#held.delete(id);
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
        return this.#onlineQueries.get(message.ref)?.(message.online);
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
    const entry = this.#forwarded.get(ref);
    if (!entry) return;
    entry.client.send(bytes);
    const [answered] = entry.open;
    if (answered !== undefined) entry.open.delete(answered);
    if (entry.open.size === 0) this.#forget(ref, entry.client);
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

  /** Others say that they have these now. Asked again, since the peer may have come back to us meanwhile. */
  async #onMoved(ids: readonly string[]): Promise<void> {
    try {
      const holders = await this.#directory.holders(ids);
      ids.forEach((id, i) => {
        const holder = holders[i];
        if (holder && holder !== this.node) this.#lose(id);
      });
    } catch {
      // The next refresh of our claims finds out.
    }
  }

  // The directory

  async #claim(ids: readonly string[]): Promise<void> {
    const { peers, clock } = this.#o;
    const now = clock.now();
    const claims = ids.flatMap((id) => {
      const peer = peers.inMemory(id);
      return peer ? [{ id, ageMs: peers.ageMs(peer) }] : [];
    });
    if (claims.length === 0) return;
    const results = await this.#directory.claim(claims);
    const moved = new Map<string, string[]>();
    results.forEach(({ holder, previous }, i) => {
      const id = claims[i]?.id ?? '';
      if (holder !== this.node) return this.#lose(id);
      if (this.#held.has(id)) this.#held.set(id, now);
      if (previous === null) return;
      const there = moved.get(previous);
      if (there) there.push(id);
      else moved.set(previous, [id]);
    });
    for (const [node, there] of moved) this.#send(node, { type: 'moved', ids: there });
  }

  /** Another node has heard from this peer since we did. */
  #lose(id: string): void {
    this.#held.delete(id);
    this.#o.peers.movedAway(id);
    this.#o.counters.count('cluster-moved-away', { id });
  }

  #onConnected(): void {
    for (const wake of [...this.#waitingForDirectory]) wake();
    if (this.#held.size > 0 && !this.#resyncing) void this.#resync();
  }

  /** Whatever the directory has forgotten while it was away it gets back from those who hold it: rows, then who has them. */
  async #resync(): Promise<void> {
    this.#resyncing = true;
    const { peers, rows, counters } = this.#o;
    try {
      for (const ids of batches([...this.#held.keys()], BATCH)) {
        await rows.restore(ids.flatMap((id) => peers.rowOf(id) ?? []));
        await this.#claim(ids);
      }
      counters.count('cluster-resynchronised');
    } catch {
      // Away again; it calls when it is back.
    } finally {
      this.#resyncing = false;
    }
  }

  /** Resolves when the directory can be asked; a short absence is waited out. @throws DirectoryDown */
  async #up(): Promise<void> {
    const { limits, clock } = this.#o;
    if (this.#directory.connected) return;
    if (this.#waitingForDirectory.size >= limits.maxHeldForDirectory) throw new DirectoryDown('too many wait for it');
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        cancel();
        this.#waitingForDirectory.delete(wake);
        resolve();
      };
      const cancel = clock.setTimer(limits.directoryHoldMs, wake);
      this.#waitingForDirectory.add(wake);
    });
    if (!this.#directory.connected || this.#closed) throw new DirectoryDown('not connected');
  }

  #send(node: string, message: BusMessage): void {
    this.#directory.send(node, encodeBusMessage(message)).catch(() => {});
  }

  async #askOnline(node: string, ids: readonly string[]): Promise<readonly boolean[]> {
    const { limits, clock } = this.#o;
    const ref = this.#nextRef++;
    const answer = new Promise<readonly boolean[]>((resolve) => {
      const cancel = clock.setTimer(limits.clusterReplyMs, () => settle([]));
      const settle = (online: readonly boolean[]): void => {
        cancel();
        this.#onlineQueries.delete(ref);
        resolve(online);
      };
      this.#onlineQueries.set(ref, settle);
    });
    const sent = await this.#directory.send(node, encodeBusMessage({ type: 'online', ref, ids })).catch(() => false);
    if (!sent) this.#onlineQueries.get(ref)?.([]);
    return answer;
  }

  // Our clients elsewhere

  #enter(client: Client): { ref: number; forwarded: Forwarded } | null {
    const known = this.#refs.get(client);
    const entry = known === undefined ? undefined : this.#forwarded.get(known);
    if (known !== undefined && entry) return { ref: known, forwarded: entry };
    if (this.#forwarded.size >= this.#o.limits.maxForwardedClients) return null;
    const ref = this.#nextRef++;
    const forwarded: Forwarded = { client, nodes: new Set(), open: new Set(), lastAt: this.#o.clock.now() };
    this.#forwarded.set(ref, forwarded);
    this.#refs.set(client, ref);
    return { ref, forwarded };
  }

  #forget(ref: number, client: Client): Set<string> {
    const nodes = this.#forwarded.get(ref)?.nodes ?? new Set<string>();
    this.#forwarded.delete(ref);
    this.#refs.delete(client);
    return nodes;
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

function batches<T>(list: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let at = 0; at < list.length; at += size) parts.push(list.slice(at, at + size));
  return parts;
}
