/** Which ids came from another address than before: a device on the move, or two that fight for one id (rendezvous §1.4). */
import type { Clock } from '../core/clock.ts';
import type { ServerLimits } from './limits.ts';

interface Entry {
  changes: number;
  at: number;
  /** The latest last. */
  readonly addresses: string[];
}

export interface IpChangeLine {
  readonly id: string;
  readonly changes: number;
  readonly msAgo: number;
  readonly addresses: readonly string[];
}

export class IpChanges {
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  note(id: string, from: string, to: string): void {
    const entry = this.#entries.get(id) ?? { changes: 0, at: 0, addresses: from === '' ? [] : [from] };
    entry.changes++;
    entry.at = this.#clock.now();
    const known = entry.addresses.indexOf(to);
    if (known >= 0) entry.addresses.splice(known, 1);
    entry.addresses.push(to);
    if (entry.addresses.length > this.#limits.maxIpChangeAddresses) entry.addresses.shift();
    // The latest are at the end, and the first ones go.
    this.#entries.delete(id);
    this.#entries.set(id, entry);
    if (this.#entries.size > this.#limits.maxIpChangeIds)
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
  }

  /** The latest first. */
  list(start: number, count: number): IpChangeLine[] {
    return [...this.#entries.keys()].reverse().slice(start, start + count).flatMap((id) => this.show(id));
  }

  show(id: string): IpChangeLine[] {
    const entry = this.#entries.get(id);
    if (!entry) return [];
    return [{ id, changes: entry.changes, msAgo: Math.round(this.#clock.now() - entry.at), addresses: [...entry.addresses] }];
  }

  /** @returns whether it was there */
  forget(id: string): boolean {
    return this.#entries.delete(id);
  }
}
