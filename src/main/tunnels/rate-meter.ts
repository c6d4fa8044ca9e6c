/** Bytes per second over the last minute, out of counters that only rise. */
import { RATE_SAMPLES } from '../../shared/tunnels-state.ts';

export interface RateHistory {
  /** Bytes per second, one for each second, the newest last; at most RATE_SAMPLES. */
  readonly inBps: readonly number[];
  readonly outBps: readonly number[];
}

export class RateMeter {
  #inBps: number[] = [];
  #outBps: number[] = [];
  #last: { atMs: number; bytesIn: number; bytesOut: number } | null = null;

  get history(): RateHistory {
    return { inBps: this.#inBps, outBps: this.#outBps };
  }

  /** The counters at `nowMs`; called about once a second. Counters that fell were started again and count from 0. */
  sample(nowMs: number, bytesIn: number, bytesOut: number): void {
    const last = this.#last;
    this.#last = { atMs: nowMs, bytesIn, bytesOut };
    if (last === null || nowMs <= last.atMs) return;
    const perSecond = (now: number, before: number): number =>
      Math.round(((now >= before ? now - before : now) * 1_000) / (nowMs - last.atMs));
    this.#inBps = [...this.#inBps, perSecond(bytesIn, last.bytesIn)].slice(-RATE_SAMPLES);
    this.#outBps = [...this.#outBps, perSecond(bytesOut, last.bytesOut)].slice(-RATE_SAMPLES);
  }
}
