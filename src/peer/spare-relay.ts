/**
 * One connection to the relay that is there before anybody asks (docs/protocol.md, `relay_park`): for a computer that datagrams do
 * not reach, and that would need a handshake, with TLS and a web proxy two or three, between being asked and being at the relay.
 */
import { type Clock, systemClock } from '../core/clock.ts';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { encodeRendezvous } from '../core/wire/index.ts';
import type { NetLink } from '../net/index.ts';
import { relayAddress } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';
import { dialServer } from './server-link.ts';

/** ms between two signs of life: below what NATs and web proxies forget, and a third of what the relay waits. */
const SIGN_MS = 25_000;
/** ms until another one is dialled, after one was used, and after one was lost: doubled each time up to the last. */
const REDIAL_MS = { used: 200, first: 5_000, last: 300_000 } as const;
const DIAL_TIMEOUT_MS = 10_000;
/** One that held for so long shows that the relay has room for us, ms. */
const HELD_MS = 60_000;
const SIGN = new Uint8Array(0);

export class SpareRelay {
  readonly #server: ServerAddress;
  readonly #clock: Clock;
  #link: NetLink | null = null;
  #abort: AbortController | null = null;
  #cancelTimer: () => void = () => {};
  #redialMs: number = REDIAL_MS.first;

  constructor(server: ServerAddress, clock: Clock = systemClock) {
    this.#server = server;
    this.#clock = clock;
  }

  /** From now on there is one, as far as the relay lets us. */
  start(): void {
    if (this.#abort) return;
    this.#abort = new AbortController();
    void this.#dial(this.#abort.signal);
  }

  stop(): void {
    this.#abort?.abort();
    this.#abort = null;
    this.#cancelTimer();
    this.#link?.destroy();
    this.#link = null;
  }

  /** Gives the connection away, which the relay expects to name a session; null: there is none at the moment. */
  take(): NetLink | null {
    const link = this.#link;
    if (!link || link.closed || !this.#abort) return null;
    this.#link = null;
    this.#again(REDIAL_MS.used, this.#abort.signal);
    return link;
  }

  async #dial(signal: AbortSignal): Promise<void> {
    try {
      const { host, port, route } = relayAddress('', this.#server);
      const { link } = await dialServer({
        address: { host, port },
        route,
        timeoutMs: DIAL_TIMEOUT_MS,
        signal,
        maxPayload: PAYLOAD_LIMITS.handshake,
        webSocket: true,
      });
      if (signal.aborted) return link.destroy();
      link.send(encodeRendezvous({ relayPark: {} }));
      this.#hold(link, signal);
    } catch {
      // Sessions find the relay themselves, and say what is wrong with it.
      if (!signal.aborted) this.#lost(signal);
    }
  }

  #hold(link: NetLink, signal: AbortSignal): void {
    const since = this.#clock.now();
    this.#link = link;
    link.setHandlers({
      // The relay has nothing to say here.
      onFrame: () => link.destroy(),
      onClose: () => {
        if (this.#link !== link) return;
        this.#link = null;
        if (this.#clock.now() - since >= HELD_MS) this.#redialMs = REDIAL_MS.first;
        this.#lost(signal);
      },
    });
    const sign = (): void => {
      if (this.#link !== link) return;
      link.send(SIGN);
      this.#cancelTimer = this.#clock.setTimer(SIGN_MS, sign);
    };
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.setTimer(SIGN_MS, sign);
  }

  #lost(signal: AbortSignal): void {
    this.#again(this.#redialMs, signal);
    this.#redialMs = Math.min(2 * this.#redialMs, REDIAL_MS.last);
  }

  #again(afterMs: number, signal: AbortSignal): void {
    this.#cancelTimer();
    if (!signal.aborted) this.#cancelTimer = this.#clock.setTimer(afterMs, () => void this.#dial(signal));
  }
}
