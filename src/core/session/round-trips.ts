import type { Clock } from '../clock.ts';
import { LiteDeskError } from '../errors.ts';
import * as limits from './limits.ts';
import { sessionErrors } from './session-errors.ts';

interface Probe {
  readonly sentAt: number;
  done(rttMs: number): void;
  fail(error: Error): void;
}

/** Round-trip probes of a controller that are on their way (session §3.7). */
export class RoundTrips {
  readonly #clock: Clock;
  readonly #send: (time: bigint) => void;
  readonly #probes = new Map<bigint, Probe>();
  #count = 0n;

  /** @param send asks the host to send this number back. */
  constructor(clock: Clock, send: (time: bigint) => void) {
    this.#clock = clock;
    this.#send = send;
  }

  /** Milliseconds to the host and back. @throws what `fail` is given, SESSION_PROTOCOL, or the reason of `signal` */
  measure(signal?: AbortSignal): Promise<number> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.#probes.size >= limits.MAX_PENDING_PINGS)
        return reject(new LiteDeskError(sessionErrors.protocol('round-trip probes are not answered')));
      const time = ++this.#count;
      const end = (): void => {
        this.#probes.delete(time);
        signal?.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        end();
        reject(signal?.reason);
      };
      this.#probes.set(time, {
        sentAt: this.#clock.now(),
        done: (rttMs) => {
          end();
          resolve(rttMs);
        },
        fail: (error) => {
          end();
          reject(error);
        },
      });
      signal?.addEventListener('abort', abort, { once: true });
      this.#send(time);
    });
  }

  /** A number came back; one that was not sent is no news. */
  answered(time: bigint): void {
    const probe = this.#probes.get(time);
    probe?.done(Math.max(0, this.#clock.now() - probe.sentAt));
  }

  /** Ends all that are on their way. */
  fail(error: Error): void {
    for (const probe of [...this.#probes.values()]) probe.fail(error);
  }
}
