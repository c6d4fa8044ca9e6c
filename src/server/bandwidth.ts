/** Limits on bytes per second (rendezvous §7.6), as buckets that refill with time. */
import type { Clock } from '../core/clock.ts';

/** A pause shorter than this is not worth a timer. */
const MIN_PAUSE_MS = 2;
/** Of one second's bytes, so much may pass in one burst. */
const BURST_SHARE = 0.25;

export class Bandwidth {
  #bytesPerMs = 0;
  #burst = 0;
  readonly #clock: Clock;
  #left: number;
  #filledAt: number;

  /** @param bps bits per second; 0: no limit */
  constructor(bps: number, clock: Clock) {
    this.#clock = clock;
    this.#left = 0;
    this.#filledAt = clock.now();
    this.setRate(bps);
    this.#left = this.#burst;
  }

  /** @param bps bits per second; 0: no limit */
  setRate(bps: number): void {
    this.#bytesPerMs = bps / 8 / 1000;
    this.#burst = this.#bytesPerMs * 1000 * BURST_SHARE;
    this.#left = Math.min(this.#left, this.#burst);
  }

  /** Takes `bytes`, which have passed already, and says for how many ms the sender must rest. */
  take(bytes: number): number {
    if (this.#bytesPerMs === 0) return 0;
    this.#left -= bytes;
    if (this.#left >= 0) return 0;
    const now = this.#clock.now();
    this.#left = Math.min(this.#burst, this.#left + (now - this.#filledAt) * this.#bytesPerMs);
    this.#filledAt = now;
    const pauseMs = -this.#left / this.#bytesPerMs;
    return pauseMs >= MIN_PAUSE_MS ? pauseMs : 0;
  }

  /** Takes `bytes` that can still be dropped, unless earlier ones have not been made up for; false: drop them. */
  takeOrDrop(bytes: number): boolean {
    if (this.#bytesPerMs === 0) return true;
    if (this.take(0) > 0) return false;
    this.#left -= bytes;
    return true;
  }
}
