/** All public ports and host names that are published, and those that are kept for a while for the computer that had them. */
import type { Clock } from '../../core/clock.ts';
import type { ServerLimits } from '../limits.ts';
import type { Place } from './place.ts';

interface Hold {
  readonly owner: string;
  readonly untilMs: number;
}

export class Places {
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #places = new Map<string, Place>();
  /** In the order in which they end. */
  readonly #holds = new Map<string, Hold>();

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#places.size;
  }

  get(key: string): Place | undefined {
    return this.#places.get(key);
  }

  /** Whether somebody else has it, or had it a moment ago. */
  isTaken(key: string, id: string): boolean {
    const place = this.#places.get(key);
    if (place) return place.peer.id !== id;
    const hold = this.#holds.get(key);
    return hold !== undefined && hold.owner !== id && hold.untilMs > this.#clock.now();
  }

  add(place: Place): void {
    this.#holds.delete(place.key);
    this.#places.set(place.key, place);
  }

  /** @param hold its computer has not given it up, and may be back in a moment */
  remove(place: Place, hold: boolean): void {
    if (this.#places.get(place.key) !== place) return;
    this.#places.delete(place.key);
    if (!hold) return;
    if (this.#holds.size >= this.#limits.maxPublishHolds) this.#holds.delete(this.#holds.keys().next().value ?? '');
    this.#holds.set(place.key, { owner: place.peer.id, untilMs: this.#clock.now() + this.#limits.publishHoldMs });
  }

  sweep(): void {
    const now = this.#clock.now();
    for (const [key, { untilMs }] of this.#holds) {
      if (untilMs > now) return;
      this.#holds.delete(key);
    }
  }

  [Symbol.iterator](): Iterator<Place> {
    return this.#places.values();
  }
}
