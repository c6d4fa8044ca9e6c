import type { Clock } from '../clock.ts';
import { KEEP_ALIVE_MS, MEASURE_MS } from './limits.ts';

export interface PulseActions {
  ping(nonce: number): void;
  /** Nothing was heard for longer than the link is given. */
  dead(): void;
}

/** The round trip of a link and whether it is alive: often while streams move data, seldom while it is quiet. */
export class Pulse {
  readonly #clock: Clock;
  readonly #deadMs: number;
  readonly #actions: PulseActions;
  #heardAt: number;
  #pingAt: number | null = null;
  #measuredAt = -Infinity;
  #nonce = 0;
  #rtt: number | null = null;
  #cancel: (() => void) | null = null;
  #stopped = false;

  /** `deadMs` 0: the link itself knows when it is dead. */
  constructor(clock: Clock, deadMs: number, actions: PulseActions) {
    this.#clock = clock;
    this.#deadMs = deadMs;
    this.#actions = actions;
    this.#heardAt = clock.now();
    this.#arm(KEEP_ALIVE_MS);
  }

  /** Smoothed, in milliseconds, with what waits in the link; null before the first answer. */
  get rttMs(): number | null {
    return this.#rtt;
  }

  /** A stream was opened or moves data: the round trip is worth knowing. */
  active(): void {
    if (!this.#stopped && this.#clock.now() - this.#measuredAt >= MEASURE_MS) this.#ping();
  }

  heard(): void {
    this.#heardAt = this.#clock.now();
  }

  answered(nonce: number): void {
    if (this.#pingAt === null || nonce !== this.#nonce) return;
    const rtt = Math.max(0, this.#clock.now() - this.#pingAt);
    this.#pingAt = null;
    this.#rtt = this.#rtt === null ? rtt : this.#rtt + (rtt - this.#rtt) / 4;
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = null;
  }

  #arm(delayMs: number): void {
    this.#cancel?.();
    this.#cancel = this.#clock.setTimer(delayMs, () => this.#tick());
  }

  #tick(): void {
    const now = this.#clock.now();
    const silentMs = now - this.#heardAt;
    if (this.#deadMs > 0 && silentMs >= this.#deadMs) return this.#actions.dead();
    this.#ping();
  }

  #ping(): void {
    const now = this.#clock.now();
    this.#measuredAt = now;
    this.#arm(KEEP_ALIVE_MS);
    // One at a time, unless its answer is long overdue.
    if (this.#pingAt !== null && now - this.#pingAt < KEEP_ALIVE_MS) return;
    this.#pingAt = now;
    this.#nonce = (this.#nonce + 1) >>> 0;
    this.#actions.ping(this.#nonce);
  }
}
