/**
 * Behind one public address: the same network, or only the same carrier's NAT? The server cannot tell, and a controller
 * takes one answer for one request (rendezvous §9.1). So the local address is what the first request gets, and the other
 * way is offered wherever the client leaves room for it:
 *
 * - a stock controller that punches UDP asks twice at once, with and without a UDP port, and races what it is told: one
 *   of the two gets the local address, the other a hole;
 * - one that asks once and then comes for a relay did not get through, unless it says that it wants one anyway: its next
 *   request gets the other way.
 */
import type { Clock } from '../../core/clock.ts';
import type { Client } from '../client.ts';
import type { ServerLimits } from '../limits.ts';

type Way = 'local' | 'punch';

interface Entry {
  client: Client;
  udp: boolean;
  at: number;
  offered: Way;
  next: Way;
}

export class LocalTries {
  readonly #entries = new Map<string, Entry>();
  readonly #limits: ServerLimits;
  readonly #clock: Clock;

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** What this controller is offered for `id`, which is registered at the controller's own address. */
  offer(client: Client, id: string, udp: boolean): Way {
    const key = keyOf(client, id);
    const now = this.#clock.now();
    const known = this.#entries.get(key);
    const fresh = known && now - known.at < this.#limits.localTryMemoryMs ? known : undefined;
    if (fresh && fresh.client !== client && fresh.udp !== udp && now - fresh.at < this.#limits.pairedRequestMs)
      return other(fresh.offered);
    const offered = fresh?.next ?? 'local';
    this.#entries.delete(key);
    if (this.#entries.size >= this.#limits.maxLocalTries)
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    this.#entries.set(key, { client, udp, at: now, offered, next: offered });
    return offered;
  }

  /** This controller asks for a relay: what it was offered led nowhere. */
  failed(client: Client, id: string): void {
    const entry = this.#entries.get(keyOf(client, id));
    if (entry) entry.next = other(entry.offered);
  }

  /** Regular upkeep. */
  expire(): void {
    const oldest = this.#clock.now() - this.#limits.localTryMemoryMs;
    // In the order of their last use.
    for (const [key, entry] of this.#entries) {
      if (entry.at >= oldest) return;
      this.#entries.delete(key);
    }
  }
}

function other(way: Way): Way {
  return way === 'local' ? 'punch' : 'local';
}

function keyOf(client: Client, id: string): string {
  return `${client.remote.host}|${id}`;
}
