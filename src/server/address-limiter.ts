/** Keeps one address from registering new ids without end (rendezvous §6.10). */
import type { Clock } from '../core/clock.ts';
import type { ServerLimits } from './limits.ts';
import { prefix64 } from './networks.ts';

interface Entry {
  count: number;
  countedAt: number;
  readonly ids: Set<string>;
  idsAt: number;
}

export interface AddressLine {
  /** An IPv6 address stands for its /64. */
  readonly address: string;
  /** New ids that count against `addressBurst` at the moment. */
  readonly registrations: number;
  readonly countedMsAgo: number;
  /** Different ids of the last day. */
  readonly ids: number;
}

export class AddressLimiter {
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Whether `address` may register `id`, a new one; counts it when so. */
  allow(address: string, id: string): boolean {
    const limits = this.#limits;
    const now = this.#clock.now();
    const key = keyOf(address);
    const entry = this.#entries.get(key);
    if (!entry) {
      // The oldest goes: a limiter that remembers every spoofed source would be the flood's real target.
      if (this.#entries.size >= limits.maxLimitedAddresses)
        for (const oldest of this.#entries.keys()) {
          this.#entries.delete(oldest);
          break;
        }
      this.#entries.set(key, { count: 0, countedAt: now, ids: new Set([id]), idsAt: now });
      return true;
    }
    if (now - entry.countedAt > limits.addressWindowMs) entry.count = 0;
    else if (entry.count >= limits.addressBurst) return false;
    entry.count++;
    entry.countedAt = now;
    if (now - entry.idsAt > limits.addressIdsWindowMs) entry.ids.clear();
    else if (entry.ids.size >= limits.addressIds && !entry.ids.has(id)) return false;
    entry.ids.add(id);
    entry.idsAt = now;
    return true;
  }

  /** Some addresses behind the first `start`, in the order in which they came. */
  list(start: number, count: number): AddressLine[] {
    const lines: AddressLine[] = [];
    let at = 0;
    for (const key of this.#entries.keys()) {
      if (lines.length >= count) break;
      if (at++ >= start) lines.push(...this.show(key));
    }
    return lines;
  }

  /** One address, or none. */
  show(address: string): AddressLine[] {
    const entry = this.#entries.get(keyOf(address));
    if (!entry) return [];
    const now = this.#clock.now();
    return [
      {
        address: keyOf(address),
        registrations: now - entry.countedAt > this.#limits.addressWindowMs ? 0 : entry.count,
        countedMsAgo: Math.round(now - entry.countedAt),
        ids: entry.ids.size,
      },
    ];
  }

  /** @returns whether it was there */
  forget(address: string): boolean {
    return this.#entries.delete(keyOf(address));
  }
}

/** An IPv6 household has 2^64 addresses. */
function keyOf(address: string): string {
  return address.includes(':') ? prefix64(address) : address;
}
