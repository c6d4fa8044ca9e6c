import { type MuxLimits, REFUSED_OPENS } from './limits.ts';

/** How fast the other side may open streams: a bucket that fills with time, and one for those that are refused. */
export class OpenLimiter {
  readonly #burst: number;
  readonly #perSecond: number;
  #tokens: number;
  #refusals = REFUSED_OPENS;
  #at: number;

  constructor(nowMs: number, limits: Pick<MuxLimits, 'openBurst' | 'opensPerSecond'>) {
    this.#burst = limits.openBurst;
    this.#perSecond = limits.opensPerSecond;
    this.#tokens = this.#burst;
    this.#at = nowMs;
  }

  /** One more is to be opened. `flood`: even refusing them is too much. */
  open(nowMs: number): 'take' | 'refuse' | 'flood' {
    const earned = ((nowMs - this.#at) / 1000) * this.#perSecond;
    this.#at = nowMs;
    this.#tokens = Math.min(this.#burst, this.#tokens + earned);
    this.#refusals = Math.min(REFUSED_OPENS, this.#refusals + earned);
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 'take';
    }
    this.#refusals -= 1;
    return this.#refusals < 0 ? 'flood' : 'refuse';
  }
}
