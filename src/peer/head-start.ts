import { type Clock, systemClock } from '../core/clock.ts';

/** The server is reached and the request has left by then, where the server is near. */
const REQUEST_MS = 8;
/** And the answer comes by then, by way of the other computer, even where all of them are busy. */
const ANSWER_MS = 15;
/** A path that the answer names has its key exchange behind it, if nothing stands in its way. */
const PATH_MS = 12;
/** Over a direct path the login comes first, and the first picture; other ways are for the case that this one fails later. */
const LOGIN_MS = 300;

/**
 * The time for which the first introduction has this computer to itself. Where everything is near, computing is what takes
 * the time, and what is only needed if the first way fails would double it; where something is far, there is time for all.
 */
export class HeadStart {
  /** Resolves when the rest may begin. */
  readonly over: Promise<void>;
  #resolve: () => void = () => {};
  readonly #clock: Clock;
  #cancelTimer: () => void = () => {};
  #ended = false;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
    this.over = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#allow(REQUEST_MS);
  }

  /** The first request is on its way. Returns for how many ms it is waited for as the only one; 0: no longer. */
  requested(): number {
    this.#allow(ANSWER_MS);
    return this.#ended ? 0 : ANSWER_MS;
  }

  /** It was answered. */
  answered(): void {
    this.#allow(PATH_MS);
  }

  /** It led to a direct path. */
  direct(): void {
    this.#allow(LOGIN_MS);
  }

  /** There is a path over the relay, or there will be none that way. */
  end(): void {
    this.#cancelTimer();
    this.#ended = true;
    this.#resolve();
  }

  #allow(ms: number): void {
    if (this.#ended) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#clock.setTimer(ms, () => this.end());
  }
}
