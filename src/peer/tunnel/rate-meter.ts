import type { Clock } from '../../core/clock.ts';

/** Rates are over about this time: short enough to follow, long enough not to flicker. */
const WINDOW_MS = 2_000;
/** Samples nearer to each other than this are one. */
const STEP_MS = 200;

interface Sample {
  readonly atMs: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
}

/** Bytes a second from counters that are looked at now and then. */
export class RateMeter {
  readonly #clock: Clock;
  #samples: Sample[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  sample(bytesOut: number, bytesIn: number): { outBps: number; inBps: number } {
    const atMs = this.#clock.now();
    const last = this.#samples.at(-1);
    // Another listener counts from nothing.
    if (last && (bytesOut < last.bytesOut || bytesIn < last.bytesIn)) this.#samples = [];
    if (!last || atMs - last.atMs >= STEP_MS) this.#samples.push({ atMs, bytesOut, bytesIn });
    // The oldest may be older than the window, so that seldom looks give rates, too.
    while ((this.#samples[1]?.atMs ?? atMs) < atMs - WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0];
    if (!first || first.atMs === atMs) return { outBps: 0, inBps: 0 };
    const seconds = (atMs - first.atMs) / 1000;
    return { outBps: Math.max(0, (bytesOut - first.bytesOut) / seconds), inBps: Math.max(0, (bytesIn - first.bytesIn) / seconds) };
  }
}
