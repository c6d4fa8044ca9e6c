/**
 * Who may connect at all: counts connections over all ports of the server, in all and by address. A connection is
 * half-open until its client has said something whole (a frame, a request, a handshake); there is a bound on those of
 * their own, and when it is reached the oldest goes: a client that means it has spoken within a round trip, so that
 * thousands that never speak only push each other out.
 */
import type { Counters } from './counters.ts';
import type { ServerLimits } from './limits.ts';
import type { Reason } from './observe/reasons.ts';

/** A connection's place. */
export interface Place {
  /** The client has spoken: this place is not given to others any more. */
  settle(): void;
  /** A proxy named the real client: it is counted from here on. False: that address is full. */
  move(host: string): boolean;
  /** Gives the place back; may be called twice. */
  leave(): void;
}

interface Held {
  host: string | null;
  leave(): void;
  readonly cut: () => void;
}

export class Admission {
  readonly #limits: ServerLimits;
  readonly #counters: Counters | undefined;
  readonly #byAddress = new Map<string, number>();
  /** In order of arrival. */
  readonly #halfOpen = new Set<Held>();
  readonly #halfOpenByAddress = new Map<string, Set<Held>>();
  #total = 0;

  constructor(limits: ServerLimits, counters?: Counters) {
    this.#limits = limits;
    this.#counters = counters;
  }

  get total(): number {
    return this.#total;
  }

  get halfOpen(): number {
    return this.#halfOpen.size;
  }

  /**
   * Takes a place for a connection from `host`, or null: full. `cut` ends the connection when its place is needed before
   * it has spoken. A listed proxy has no bound of its own (`host` null): its clients are counted once it has named them.
   */
  enter(host: string | null, cut: () => void): Place | null {
    const { maxConnections, maxHalfOpen } = this.#limits;
    if (this.#total >= maxConnections && !this.#evict(this.#halfOpen)) return this.#refuse('connection-full', host);
    if (this.#halfOpen.size >= maxHalfOpen) this.#evict(this.#halfOpen);
    if (host !== null && !this.#roomFor(host)) return this.#refuse('connection-full-address', host);
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      this.#total--;
      this.#settle(held);
      this.#uncount(held);
    };
    const held: Held = { host: null, cut, leave };
    this.#total++;
    this.#halfOpen.add(held);
    this.#count(held, host);
    return {
      settle: () => this.#settle(held),
      move: (to) => {
        if (left) return false;
        if (to === held.host) return true;
        if (!this.#roomFor(to)) {
          this.#refuse('connection-full-address', to);
          return false;
        }
        this.#uncount(held);
        this.#count(held, to);
        return true;
      },
      leave,
    };
  }

  #roomFor(host: string): boolean {
    const { maxConnectionsPerAddress, maxHalfOpenPerAddress } = this.#limits;
    const silent = this.#halfOpenByAddress.get(host);
    const own = this.#byAddress.get(host) ?? 0;
    if (silent && (silent.size >= maxHalfOpenPerAddress || own >= maxConnectionsPerAddress)) this.#evict(silent);
    return (this.#byAddress.get(host) ?? 0) < maxConnectionsPerAddress;
  }

  #refuse(reason: Reason, from: string | null): null {
    this.#counters?.count(reason, { from: from ?? undefined });
    return null;
  }

  /** The oldest that has not spoken goes; false when all have. Its place is free at once, whenever its socket ends. */
  #evict(among: Set<Held>): boolean {
    const [oldest] = among;
    if (!oldest) return false;
    this.#counters?.count('connection-half-open', { from: oldest.host ?? undefined });
    oldest.leave();
    oldest.cut();
    return true;
  }

  #settle(held: Held): void {
    if (!this.#halfOpen.delete(held) || held.host === null) return;
    this.#forgetHalfOpen(held, held.host);
  }

  #count(held: Held, host: string | null): void {
    held.host = host;
    if (host === null) return;
    this.#byAddress.set(host, (this.#byAddress.get(host) ?? 0) + 1);
    if (!this.#halfOpen.has(held)) return;
    const there = this.#halfOpenByAddress.get(host);
    if (there) there.add(held);
    else this.#halfOpenByAddress.set(host, new Set([held]));
  }

  #uncount(held: Held): void {
    const { host } = held;
    if (host === null) return;
    held.host = null;
    this.#forgetHalfOpen(held, host);
    const left = (this.#byAddress.get(host) ?? 1) - 1;
    if (left > 0) this.#byAddress.set(host, left);
    else this.#byAddress.delete(host);
  }

  #forgetHalfOpen(held: Held, host: string): void {
    const there = this.#halfOpenByAddress.get(host);
    if (there?.delete(held) && there.size === 0) this.#halfOpenByAddress.delete(host);
  }
}
