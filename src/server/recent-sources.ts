/** Which sources were seen in the last moment, in bounded memory. */
import type { Clock } from '../core/clock.ts';
import type { HostPort } from '../core/wire/index.ts';

export class RecentSources {
  readonly #windowMs: number;
  readonly #maxPerWindow: number;
  readonly #clock: Clock;
  #current = new Set<string>();
  #previous = new Set<string>();
  #since = Number.NEGATIVE_INFINITY;

  constructor(windowMs: number, maxPerWindow: number, clock: Clock) {
    this.#windowMs = windowMs;
    this.#maxPerWindow = maxPerWindow;
    this.#clock = clock;
  }

  /** True when this source was not seen for at least one window. False also when the window is full. */
  isNew(source: HostPort): boolean {
    const now = this.#clock.now();
    const age = now - this.#since;
    if (age >= this.#windowMs) {
      this.#previous = age < 2 * this.#windowMs ? this.#current : new Set();
      this.#current = new Set();
      this.#since = now;
    }
    const key = `${source.host}|${source.port}`;
    if (this.#current.has(key) || this.#previous.has(key) || this.#current.size >= this.#maxPerWindow) return false;
    this.#current.add(key);
    return true;
  }
}
