import { FULL_SEGMENT } from './constants.ts';

/**
 * Timers are good to about a millisecond, and on a busy machine to a few: so much of the rate may be made up for after a
 * late wake-up. Less would leave the path idle, and idle time is measured as a slower path.
 */
const BURST_MS = 10;
/** A sender that was idle may begin with this many full segments at once. */
const MIN_BURST = 3 * FULL_SEGMENT;
/** Waking up for less than this many would cost more than the smoothness is worth. */
const MAX_WAIT_FOR = 16 * FULL_SEGMENT;

/** A token bucket in bytes: spreads what the window allows over the round trip. Rates are in bytes per ms. */
export class Pacer {
  #tokens: number;
  #at: number;

  constructor(nowMs: number, initialBytes: number) {
    this.#tokens = initialBytes;
    this.#at = nowMs;
  }

  /** Whether a segment may leave now. */
  ready(nowMs: number, rate: number): boolean {
    const elapsed = nowMs - this.#at;
    if (elapsed > 0) {
      const cap = Math.max(MIN_BURST, rate * BURST_MS, this.#tokens);
      this.#tokens = Math.min(cap, this.#tokens + elapsed * rate);
      this.#at = nowMs;
    } else if (elapsed < 0) this.#at = nowMs;
    return this.#tokens > 0;
  }

  /** When the next may leave, with the others of the same millisecond: hence the rate, which is per ms. */
  nextAt(rate: number): number {
    if (this.#tokens > 0) return this.#at;
    const want = Math.min(rate, MAX_WAIT_FOR);
    return this.#at + (want - this.#tokens) / rate;
  }

  spend(bytes: number): void {
    this.#tokens -= bytes;
  }
}
