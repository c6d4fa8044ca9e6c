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

  /** Whether this source was added within the last window. Also when the window is full. */
  has(source: HostPort): boolean {
    this.#turn();
    const key = keyOf(source);
    return this.#current.has(key) || this.#previous.has(key) || this.#current.size >= this.#maxPerWindow;
  }

  /** Call only after has() said no. */
  add(source: HostPort): void {
    this.#current.add(keyOf(source));
  }

  #turn(): void {
    const now = this.#clock.now();
    const age = now - this.#since;
    if (age < this.#windowMs) return;
    this.#previous = age < 2 * this.#windowMs ? this.#current : new Set();
    this.#current = new Set();
    this.#since = now;
  }
}

function keyOf(source: HostPort): string {
  return `${source.host}|${source.port}`;
}
