/** The peers that registered at this node, as the other nodes find them through the directory. */
import type { Clock } from '../../core/clock.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import type { PeerRow } from '../peer-store.ts';
import type { PeerTable } from '../peer-table.ts';
import { batches } from './batches.ts';
import type { BusMessage } from './bus-message.ts';
import type { Directory } from './directory.ts';

export interface ClaimsOptions {
  readonly directory: Directory;
  readonly peers: PeerTable;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Writes rows back that the shared store has lost. */
  readonly restore: (rows: readonly PeerRow[]) => Promise<void>;
  readonly send: (node: string, message: BusMessage) => void;
}

export class Claims {
  readonly #o: ClaimsOptions;
  readonly #directory: Directory;
  /** Peers that others find here, with the time of the last claim. */
  readonly #held = new Map<string, number>();
  readonly #toClaim: string[] = [];
  #claiming: Promise<unknown> | undefined;
  #resyncing = false;

  constructor(options: ClaimsOptions) {
    this.#o = options;
    this.#directory = options.directory;
  }

  /** Peers registered here that all nodes can find. */
  get size(): number {
    return this.#held.size;
  }

  /** The peer has registered here. Resolves when all nodes find it, or the directory is away; then it is told later. */
  add(id: string): Promise<void> {
    this.#held.set(id, this.#o.clock.now());
    this.#toClaim.push(id);
    // Those that one commit has put on disk are told in one message.
    this.#claiming ??= Promise.resolve().then(() => {
      this.#claiming = undefined;
      const ids = this.#toClaim.splice(0);
      return Promise.all(batches(ids).map((part) => this.#claim(part))).catch(() => {
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

  /** Another node has forgotten the peer for all. */
  forget(id: string): void {
    this.#held.delete(id);
  }

  /** Those who come to us are found nowhere until they register anew, which their next heartbeat makes them do. */
  async releaseAll(): Promise<void> {
    if (!this.#directory.connected) return;
    for (const ids of batches([...this.#held.keys()])) await this.#directory.release(ids).catch(() => {});
  }

  /** Regular upkeep: lets go of who went offline, and renews what is due. */
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
    if (!this.#directory.connected) return;
    for (const ids of batches(offline)) this.#directory.release(ids).catch(() => {});
    for (const ids of batches(due)) this.#claim(ids).catch(() => {});
  }

  /** Others say that they have these now. Asked again, since the peer may have come back to us meanwhile. */
  async onMoved(ids: readonly string[]): Promise<void> {
    try {
      const holders = await this.#directory.holders(ids);
      ids.forEach((id, i) => {
        const holder = holders[i];
        if (holder && holder !== this.#directory.node) this.#lose(id);
      });
    } catch {
      // The next refresh of our claims finds out.
    }
  }

  /** Whatever the directory has forgotten while it was away it gets back from those who hold it: rows, then who has them. */
  async resync(): Promise<void> {
    if (this.#held.size === 0 || this.#resyncing) return;
    this.#resyncing = true;
    const { peers, restore, counters } = this.#o;
    try {
      for (const ids of batches([...this.#held.keys()])) {
        await restore(ids.flatMap((id) => peers.rowOf(id) ?? []));
        await this.#claim(ids);
      }
      counters.count('cluster-resynchronised');
    } catch {
      // Away again; it calls when it is back.
    } finally {
      this.#resyncing = false;
    }
  }

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
      if (holder !== this.#directory.node) return this.#lose(id);
      if (this.#held.has(id)) this.#held.set(id, now);
      if (previous === null) return;
      const there = moved.get(previous);
      if (there) there.push(id);
      else moved.set(previous, [id]);
    });
    for (const [node, there] of moved) this.#o.send(node, { type: 'moved', ids: there });
  }

  /** Another node has heard from this peer since we did. */
  #lose(id: string): void {
    this.#held.delete(id);
    this.#o.peers.movedAway(id);
    this.#o.counters.count('cluster-moved-away', { id });
  }
}
