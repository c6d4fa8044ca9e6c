/** Whether a gateway has forgotten what it was asked: both protocols count the seconds since it began to remember. */
import type { Clock } from '../../core/clock.ts';

export type EpochRule = (serverDeltaS: number, clientDeltaS: number) => boolean;

/** RFC 6887 §8.5: a clock that ran backwards, or more than 1/16 and 2 s too fast or too slow. */
export const pcpEpochIsReset: EpochRule = (server, client) =>
  server < -1 || client + 2 < server - server / 16 || server + 2 < client - client / 16;

/** RFC 6886 §3.6: more than 2 s short of 7/8 of the time that passed. */
export const natPmpEpochIsReset: EpochRule = (server, client) => server < (client * 7) / 8 - 2;

export class EpochWatch {
  readonly #clock: Clock;
  readonly #isReset: EpochRule;
  #last: { epochS: number; atMs: number } | null = null;

  constructor(clock: Clock, isReset: EpochRule) {
    this.#clock = clock;
    this.#isReset = isReset;
  }

  /** Takes note of the epoch of an answer, in seconds. True: the gateway lost its state since the one before. */
  saw(epochS: number): boolean {
    const last = this.#last;
    const atMs = this.#clock.now();
    this.#last = { epochS, atMs };
    return last !== null && this.#isReset(epochS - last.epochS, (atMs - last.atMs) / 1000);
  }
}
