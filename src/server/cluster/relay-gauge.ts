/** What the built-in relay announces of itself. */
import type { Clock } from '../../core/clock.ts';
import type { ServerLimits } from '../limits.ts';
import type { RelayState } from './directory.ts';

export interface MeasuredRelay {
  readonly pairs: number;
  /** Bytes forwarded since the start. */
  readonly bytes: number;
}

export class RelayGauge {
  readonly #relay: MeasuredRelay;
  readonly #address: string;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  #bytes: number;
  #at: number;

  /** @param address `host[:port]` at which all clients reach the relay */
  constructor(relay: MeasuredRelay, address: string, limits: ServerLimits, clock: Clock) {
    this.#relay = relay;
    this.#address = address;
    this.#limits = limits;
    this.#clock = clock;
    this.#bytes = relay.bytes;
    this.#at = clock.now();
  }

  /** Its load since the last call, which should be about a second ago. */
  read(): RelayState {
    const { pairs, bytes } = this.#relay;
    const now = this.#clock.now();
    const bps = now > this.#at ? Math.round(((bytes - this.#bytes) * 8_000) / (now - this.#at)) : 0;
    this.#bytes = bytes;
    this.#at = now;
    const { maxRelayPairs, relayTotalBps } = this.#limits;
    return { address: this.#address, pairs, maxPairs: maxRelayPairs, bps, maxBps: relayTotalBps, draining: false };
  }
}
