import type { Clock } from '../clock.ts';
import { ipv6Prefix } from './attempt-limits.ts';
import * as limits from './limits.ts';

/**
 * How many sets of CPace shares a host makes: each is some milliseconds of its processor, and whoever asks for one has proven
 * nothing yet. By address (for IPv6 by /64, which is what one customer gets) and for all together; bounded.
 */
export class ShareLimits {
  readonly #clock: Clock;
  #minute = Number.NEGATIVE_INFINITY;
  #all = 0;
  readonly #addresses = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** False: `address` (an IP without port) has to wait for the next minute. */
  take(address: string): boolean {
    const minute = Math.floor(this.#clock.now() / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#all = 0;
      this.#addresses.clear();
    }
    const key = ipv6Prefix(address, 64) ?? address;
    const own = this.#addresses.get(key) ?? 0;
    if (own >= limits.SHARES_PER_MINUTE || this.#all >= limits.SHARES_PER_MINUTE_OF_ALL) return false;
    // No more addresses than shares: the map is bounded by the limit of all.
    this.#addresses.set(key, own + 1);
    this.#all += 1;
    return true;
  }
}
