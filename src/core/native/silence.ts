import { CLOSED_MS, SEARCH_AFTER_MS, STILL_COMING_MS } from './multipath-limits.ts';
import type { PathSet } from './path-set.ts';

/** How long a session has had no path that can be relied on, and how much longer it waits for one. */
export class Silence {
  /** How long it waits at most, in milliseconds. */
  darkMs: number;
  /** Null: there is a path. */
  #since: number | null = null;
  /** When the other end closed a path, and nothing was heard of it since. */
  #closedAt: number | null = null;

  constructor(darkMs: number) {
    this.darkMs = darkMs;
  }

  /** The other end has closed a path: it may not come back. */
  closed(now: number): void {
    this.#closedAt = now;
  }

  /** The other end is there. */
  met(): void {
    this.#closedAt = null;
  }

  /** `since`: from when on it counts if it begins now. */
  look({ silent, all }: Pick<PathSet, 'silent' | 'all'>, since: number): void {
    const closedAt = this.#closedAt ?? Number.POSITIVE_INFINITY;
    if (all.some(({ watch }) => watch.heardAt > closedAt + STILL_COMING_MS)) this.#closedAt = null;
    if (!silent) this.#since = null;
    else this.#since ??= since;
  }

  /** What the session waits in all, in milliseconds. */
  get allowedMs(): number {
    return this.#closedAt === null ? this.darkMs : Math.min(this.darkMs, CLOSED_MS);
  }

  // Sums are compared, never differences: a timer set for a sum must find it reached.

  /** When the session ends for it; never while there is a path. */
  get endsAt(): number {
    return this.#since === null ? Number.POSITIVE_INFINITY : this.#since + this.allowedMs;
  }

  /** When it is long enough to tell others of it. */
  get searchAt(): number {
    return this.#since === null ? Number.POSITIVE_INFINITY : this.#since + SEARCH_AFTER_MS;
  }
}
