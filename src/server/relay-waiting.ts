/**
 * The streams that have named a uuid at the relay and wait for their other half (rendezvous §7.3).
 *
 * A stream whose uuid nobody introduced yet is held for a while all the same: a controlled side that proposes the relay
 * may be here before its RelayResponse is at the rendezvous server (rendezvous §9.4), and a rendezvous server on another
 * machine tells us over a connection of its own. Such streams have their own, smaller budget, so that guesses never take
 * the place of sessions.
 */
import type { Clock } from '../core/clock.ts';
import type { Counters } from './counters.ts';
import type { Introduction, Introductions } from './introductions.ts';
import type { ServerLimits } from './limits.ts';
import type { Detail } from './observe/reasons.ts';
import type { RelayEnd } from './relay-end.ts';
import type { TicketSide } from './tickets.ts';

export interface Waiter {
  readonly end: RelayEnd;
  /** When it came, ms. */
  readonly since: number;
  /** Hands what came early to whoever has the stream's events by now. */
  replay(): void;
}

export interface RelayWaitingOptions {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  /** Null: every uuid is good, as at the stock relay. */
  readonly introductions: Introductions | null;
  /** Joins two; called at most once for each waiter, which has left by then. */
  readonly onPair: (first: Waiter, second: Waiter) => void;
}

/** Where a stream wants to be, and what it shows or says of itself. */
export interface Place {
  readonly uuid: string;
  /** As its ticket says; 0: it has none. */
  readonly side: TicketSide;
  /** As it says itself where it has none: what keeps it from being joined with another of the same side, and nothing else. */
  readonly claims: TicketSide;
}

interface Entry extends Waiter, Place {
  /** Its uuid has been introduced. */
  admitted: boolean;
  readonly held: Uint8Array[];
  cancelTimer: () => void;
}

/** Streams under one uuid: both sides by UDP, TCP and WebSocket at once. */
const MAX_PER_UUID = 6;
/** Every uuid is good. */
const OPEN: Introduction = { hosts: [], agreed: true, expiresAt: Number.POSITIVE_INFINITY };

/** How many of one kind wait, in all and from one address. */
class Places {
  readonly entries = new Set<Entry>();
  readonly #byHost = new Map<string, number>();

  of(host: string): number {
    return this.#byHost.get(host) ?? 0;
  }

  add(entry: Entry): void {
    this.entries.add(entry);
    this.#byHost.set(entry.end.host, this.of(entry.end.host) + 1);
  }

  remove(entry: Entry): void {
    if (!this.entries.delete(entry)) return;
    const left = this.of(entry.end.host) - 1;
    if (left > 0) this.#byHost.set(entry.end.host, left);
    else this.#byHost.delete(entry.end.host);
  }
}

export class RelayWaiting {
  readonly #o: RelayWaitingOptions;
  readonly #byUuid = new Map<string, Entry[]>();
  readonly #admitted = new Places();
  readonly #held = new Places();
  readonly #stopListening: () => void;

  constructor(options: RelayWaitingOptions) {
    this.#o = options;
    this.#stopListening = options.introductions?.onNote((uuid) => this.#introduced(uuid)) ?? (() => {});
  }

  /** Streams that wait for their other half. */
  get size(): number {
    return this.#admitted.entries.size;
  }

  /** Streams whose uuid nobody introduced so far. */
  get held(): number {
    return this.#held.entries.size;
  }

  close(): void {
    this.#stopListening();
    for (const { entries } of [this.#admitted, this.#held]) for (const { end } of [...entries]) end.destroy();
  }

  /** Takes over a stream that has named its place; `early` came behind its first frame. */
  arrive({ uuid, side, claims }: Place, end: RelayEnd, early: Uint8Array | null): void {
    const { limits, clock } = this.#o;
    const there = this.#byUuid.get(uuid) ?? [];
    const admitted = this.#introduction(uuid) !== null;
    if (!this.#hasPlace(admitted, end.host) || there.length >= MAX_PER_UUID) {
      this.#o.counters.count(admitted ? 'relay-too-many-waiting' : 'relay-too-many-unintroduced', detailOf(end));
      return end.destroy();
    }
    const entry: Entry = {
      uuid,
      end,
      side,
      claims,
      admitted,
      since: clock.now(),
      held: [],
      cancelTimer: () => {},
      replay: () => {
        for (const data of entry.held.splice(0)) end.replay(data);
      },
    };
    let heldBytes = 0;
    const hold = (data: Uint8Array): void => {
      entry.held.push(data);
      heldBytes += data.length;
      if (heldBytes > limits.relayEarlyBytes) end.pause();
    };
    if (early && early.length > 0) hold(early);
    there.push(entry);
    this.#byUuid.set(uuid, there);
    (admitted ? this.#admitted : this.#held).add(entry);
    this.#restartTimer(entry);
    const gone = (): void => this.#drop(entry);
    // A stream that goes while it waits must not be paired with the next one (rendezvous §7.3).
    end.setEvents({ onData: hold, onSign: () => {}, onEnd: gone, onDrain: () => {}, onClose: gone });
    if (admitted) this.#meet(uuid);
  }

  #introduction(uuid: string): Introduction | null {
    const { introductions } = this.#o;
    return introductions ? introductions.get(uuid) : OPEN;
  }

  #hasPlace(admitted: boolean, host: string): boolean {
    const { limits } = this.#o;
    if (admitted)
      return (
        this.#admitted.entries.size < limits.maxRelayWaiting && this.#admitted.of(host) < limits.maxRelayWaitingPerAddress
      );
    if (this.#held.of(host) >= limits.maxRelayHeldPerAddress) return false;
    // From many addresses at once: the oldest goes, since an honest stream is introduced within a round trip or two.
    if (this.#held.entries.size >= limits.maxRelayHeld)
      for (const oldest of this.#held.entries) {
        this.#o.counters.count('relay-too-many-unintroduced', detailOf(oldest.end));
        this.#drop(oldest);
        break;
      }
    return true;
  }

  #introduced(uuid: string): void {
    const there = this.#byUuid.get(uuid);
    if (!there) return;
    for (const entry of there) {
      if (entry.admitted) continue;
      entry.admitted = true;
      this.#held.remove(entry);
      this.#admitted.add(entry);
      this.#restartTimer(entry);
    }
    this.#meet(uuid);
  }

  /** Joins the best two under this uuid, if two fit. */
  #meet(uuid: string): void {
    const { clock, limits } = this.#o;
    const introduction = this.#introduction(uuid);
    const there = this.#byUuid.get(uuid);
    if (!introduction || !there || there.length < 2) return;
    const pair = pairOf(there, introduction.hosts);
    if (!pair) return;
    // Whoever asked for a session must not get one with an accomplice instead.
    if (!pair.expected && !introduction.agreed) return;
    // Somebody is at another address than the server saw. It may be another way out of the same network, or a stranger
    // who learned the uuid: the expected one gets a moment to come.
    const waitMs = pair.expected ? 0 : pair.since + limits.relayStrangerMs - clock.now();
    if (waitMs > 0) {
      pair.second.cancelTimer();
      pair.second.cancelTimer = clock.setTimer(waitMs, () => {
        this.#restartTimer(pair.second);
        this.#meet(uuid);
      });
      return;
    }
    if (!pair.expected) this.#o.counters.count('relay-stranger', detailOf(pair.second.end));
    this.#o.introductions?.used(uuid);
    this.#leave(pair.first);
    this.#leave(pair.second);
    // Whoever else waited here cannot be meant any more: an introduction is good for one pair.
    if (this.#o.introductions) for (const other of [...there]) this.#drop(other);
    this.#o.onPair(pair.first, pair.second);
  }

  #restartTimer(entry: Entry): void {
    const { clock, counters, limits } = this.#o;
    entry.cancelTimer();
    entry.cancelTimer = clock.setTimer(entry.admitted ? limits.relayWaitMs : limits.relayHeldMs, () => {
      counters.count(entry.admitted ? 'relay-nobody-came' : 'relay-not-introduced', detailOf(entry.end));
      this.#drop(entry);
    });
  }

  #drop(entry: Entry): void {
    this.#leave(entry);
    entry.end.destroy();
  }

  #leave(entry: Entry): void {
    entry.cancelTimer();
    this.#admitted.remove(entry);
    this.#held.remove(entry);
    const there = this.#byUuid.get(entry.uuid);
    const at = there?.indexOf(entry) ?? -1;
    if (!there || at < 0) return;
    there.splice(at, 1);
    if (there.length === 0) this.#byUuid.delete(entry.uuid);
  }
}

interface Fitting {
  readonly first: Entry;
  readonly second: Entry;
  readonly expected: boolean;
  readonly since: number;
}

/**
 * Which two of the waiting streams belong together, in order of arrival, and whether both are surely the two that were
 * introduced: by ticket, or by coming from the two addresses. Among those UDP goes first: there a loss holds up nothing that
 * came after it at the relay. Null: no two of them fit.
 */
function pairOf(there: readonly Entry[], hosts: readonly string[]): Fitting | null {
  let best: Fitting | null = null;
  let bestRank = -1;
  for (const [i, second] of there.entries())
    for (const first of there.slice(0, i)) {
      if (first.claims !== 0 && first.claims === second.claims) continue;
      const expected = areExpected(first, second, hosts);
      const rank = (expected ? 4 : 0) + [first, second].filter(({ end }) => end.kind === 'kcp').length;
      if (rank <= bestRank) continue;
      best = { first, second, expected, since: second.since };
      bestRank = rank;
    }
  return best;
}

function areExpected(a: Entry, b: Entry, hosts: readonly string[]): boolean {
  const [one, two] = hosts;
  if (one === undefined || two === undefined) return true;
  if (a.side !== 0 && b.side !== 0) return true;
  const [x, y] = [a.end.host, b.end.host];
  if (a.side !== 0) return y === one || y === two;
  if (b.side !== 0) return x === one || x === two;
  return (x === one && y === two) || (x === two && y === one);
}

function detailOf(end: RelayEnd): Detail {
  return { from: end.host, via: end.kind };
}
