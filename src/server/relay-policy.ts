/**
 * What an operator decides about the relay, while it runs too: who is refused, who is slowed down, and how fast sessions
 * may be (rendezvous §7.5 to §7.7).
 */
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import { AddressList } from './address-list.ts';
import { Bandwidth } from './bandwidth.ts';
import type { ServerLimits } from './limits.ts';
import type { RelayPair } from './relay-pair.ts';

/** Bits a second, 0: no limit. */
export interface RelaySpeeds {
  pairBps: number;
  totalBps: number;
  /** For the sessions of addresses on the blacklist, and for those that were downgraded. */
  limitedBps: number;
  /** A session that after this time, ms, has used more than this share of `pairBps` on average is downgraded. */
  downgradeAfterMs: number;
  downgradeShare: number;
}

export interface PairUsage {
  /** Bits a second, at the last look and at the busiest. */
  readonly bps: number;
  readonly highestBps: number;
  /** Why it is slowed down. */
  readonly limited: 'blacklist' | 'downgraded' | null;
}

interface PairState {
  readonly own: Bandwidth;
  limited: PairUsage['limited'];
  lookedAt: number;
  bytes: number;
  bps: number;
  highestBps: number;
}

export interface RelayPolicyOptions {
  readonly dataDir: string;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly onListFailed: (error: Error) => void;
}

export class RelayPolicy {
  /** Slowed down: `blacklist.txt`. */
  readonly blacklist: AddressList;
  /** Refused: `blocklist.txt`. */
  readonly blocklist: AddressList;
  readonly #o: RelayPolicyOptions;
  readonly #speeds: RelaySpeeds;
  readonly #total: Bandwidth;
  readonly #states = new WeakMap<RelayPair, PairState>();

  /** @throws when a list is there but cannot be read */
  constructor(options: RelayPolicyOptions) {
    const { dataDir, limits, clock } = options;
    this.#o = options;
    this.blacklist = new AddressList(join(dataDir, 'blacklist.txt'), limits.maxListedAddresses);
    this.blocklist = new AddressList(join(dataDir, 'blocklist.txt'), limits.maxListedAddresses);
    this.#speeds = {
      pairBps: limits.relayPairBps,
      totalBps: limits.relayTotalBps,
      limitedBps: limits.relayLimitedBps,
      downgradeAfterMs: limits.relayDowngradeAfterMs,
      downgradeShare: limits.relayDowngradeShare,
    };
    this.#total = new Bandwidth(limits.relayTotalBps, clock);
  }

  get speeds(): Readonly<RelaySpeeds> {
    return this.#speeds;
  }

  /** Changes speeds until the next start; sessions follow at their next look. */
  setSpeed(name: keyof RelaySpeeds, value: number): void {
    this.#speeds[name] = value;
    this.#total.setRate(this.#speeds.totalBps);
  }

  refuses(host: string): boolean {
    return this.blocklist.has(host);
  }

  /** What limits a session between these two; hand it to `watch` with the pair. */
  limitsFor(hosts: readonly string[]): [own: Bandwidth, total: Bandwidth] {
    const listed = hosts.some((host) => this.blacklist.has(host));
    return [new Bandwidth(listed ? this.#speeds.limitedBps : this.#speeds.pairBps, this.#o.clock), this.#total];
  }

  watch(pair: RelayPair, own: Bandwidth): void {
    this.#states.set(pair, { own, limited: null, lookedAt: pair.since, bytes: 0, bps: 0, highestBps: 0 });
  }

  /** Looks at a session every few seconds. @returns false when it has to end: one of the two is blocked now */
  review(pair: RelayPair): boolean {
    if (pair.hosts.some((host) => this.refuses(host))) return false;
    const state = this.#states.get(pair);
    if (!state) return true;
    const now = this.#o.clock.now();
    if (now > state.lookedAt) {
      state.bps = Math.round(((pair.bytes - state.bytes) * 8_000) / (now - state.lookedAt));
      state.highestBps = Math.max(state.highestBps, state.bps);
      state.bytes = pair.bytes;
      state.lookedAt = now;
    }
    const { pairBps, limitedBps, downgradeAfterMs, downgradeShare } = this.#speeds;
    const ageMs = now - pair.since;
    const greedy = pairBps > 0 && ageMs > downgradeAfterMs && pair.bytes * 8_000 > ageMs * pairBps * downgradeShare;
    if (pair.hosts.some((host) => this.blacklist.has(host))) state.limited = 'blacklist';
    // Once slowed down it would soon be below the share, and up and down from then on.
    else if (greedy || state.limited === 'downgraded') state.limited = 'downgraded';
    else state.limited = null;
    state.own.setRate(state.limited ? limitedBps : pairBps);
    return true;
  }

  usage(pair: RelayPair): PairUsage {
    const { bps = 0, highestBps = 0, limited = null } = this.#states.get(pair) ?? {};
    return { bps, highestBps, limited };
  }

  /** Reads the lists again where they have changed; what cannot be read stays as it was known. */
  reload(): void {
    for (const list of [this.blacklist, this.blocklist])
      try {
        list.reload();
      } catch (error) {
        this.#o.onListFailed(error instanceof Error ? error : new Error(String(error)));
      }
  }
}
