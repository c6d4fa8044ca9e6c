/**
 * Connections to the relay that name no session yet: a computer that is registered over TCP keeps one, so that it is at the relay
 * without a handshake when somebody asks for it (docs/protocol.md, `relay_park`).
 */
import type { Clock } from '../core/clock.ts';
import type { Counters } from './counters.ts';
import type { ServerLimits } from './limits.ts';

export interface Parked {
  /** Something came. */
  heard(): void;
  /** It is parked no longer. */
  leave(): void;
}

export class RelayParking {
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #byHost = new Map<string, number>();
  #count = 0;

  constructor({ limits, clock, counters }: { readonly limits: ServerLimits; readonly clock: Clock; readonly counters: Counters }) {
    this.#limits = limits;
    this.#clock = clock;
    this.#counters = counters;
  }

  /** Connections that are parked. */
  get size(): number {
    return this.#count;
  }

  /** A place; null: there is none left. `onSilent`: nothing was heard of it for too long. */
  enter(host: string, onSilent: () => void): Parked | null {
    const { maxRelayParked, maxRelayParkedPerAddress, presenceSilenceMs } = this.#limits;
    const own = this.#byHost.get(host) ?? 0;
    if (this.#count >= maxRelayParked || own >= maxRelayParkedPerAddress) {
      this.#counters.count('relay-too-many-parked', { from: host });
      return null;
    }
    this.#count += 1;
    this.#byHost.set(host, own + 1);
    let cancelTimer = (): void => {};
    const heard = (): void => {
      cancelTimer();
      cancelTimer = this.#clock.setTimer(presenceSilenceMs, onSilent);
    };
    heard();
    let parked = true;
    const leave = (): void => {
      if (!parked) return;
      parked = false;
      cancelTimer();
      this.#count -= 1;
      const left = (this.#byHost.get(host) ?? 1) - 1;
      if (left > 0) this.#byHost.set(host, left);
      else this.#byHost.delete(host);
    };
    return { heard, leave };
  }
}
