/** How many new ids one device key may take in a day; a device needs one, and another when it is renamed. */
import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import type { ServerLimits } from '../limits.ts';

interface Entry {
  readonly ids: Set<string>;
  readonly since: number;
}

const DAY_MS = 86_400_000;

export class KeyQuota {
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  /** By a hash of the key, so that a long key takes no more room; the oldest first. */
  readonly #byKey = new Map<string, Entry>();

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  allows(pk: Uint8Array, id: string): boolean {
    if (this.#limits.keyIdsPerDay === 0) return true;
    const entry = this.#entry(pk);
    return !entry || entry.ids.has(id) || entry.ids.size < this.#limits.keyIdsPerDay;
  }

  count(pk: Uint8Array, id: string): void {
    if (this.#limits.keyIdsPerDay === 0) return;
    const entry = this.#entry(pk) ?? { ids: new Set(), since: this.#clock.now() };
    entry.ids.add(id);
    if (entry.ids.size > 1) return;
    // A new one goes to the end, also where an old one of the same key had its place.
    this.#byKey.delete(nameOf(pk));
    if (this.#byKey.size >= this.#limits.maxLimitedKeys)
      for (const oldest of this.#byKey.keys()) {
        this.#byKey.delete(oldest);
        break;
      }
    this.#byKey.set(nameOf(pk), entry);
  }

  expire(): void {
    const oldest = this.#clock.now() - DAY_MS;
    for (const [name, { since }] of this.#byKey) {
      if (since > oldest) return;
      this.#byKey.delete(name);
    }
  }

  #entry(pk: Uint8Array): Entry | undefined {
    const entry = this.#byKey.get(nameOf(pk));
    return entry && this.#clock.now() - entry.since < DAY_MS ? entry : undefined;
  }
}

function nameOf(pk: Uint8Array): string {
  return createHash('sha256').update(pk).digest('base64').slice(0, 22);
}
