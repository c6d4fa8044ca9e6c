import { KCP_INTERVAL_MS, KCP_RTO_INITIAL_MS, KCP_RTO_MIN_MS } from './constants.ts';

/** An ack that claims a longer round trip is a lie or useless. */
const MAX_RTT_MS = 60_000;
/** A timeout costs one segment; waiting for a minute after a computer's sleep would cost the session. */
const RTO_MAX_MS = 5_000;

/** The smoothed round trip and what follows from it for timeouts (RFC 6298, with KCP's smaller floors). */
export class RoundTrip {
  #srtt = 0;
  #rttvar = 0;
  #known = false;

  /** Smoothed, in ms; 0 before the first sample. */
  get smoothedMs(): number {
    return this.#srtt;
  }

  /** How long to wait for an acknowledgement at least before all that is in flight is in doubt. */
  get timeoutMs(): number {
    if (!this.#known) return KCP_RTO_INITIAL_MS;
    const rto = this.#srtt + Math.max(KCP_INTERVAL_MS, 4 * this.#rttvar);
    return Math.min(Math.max(KCP_RTO_MIN_MS, rto), RTO_MAX_MS);
  }

  /** False: no possible round trip, and not taken. */
  sample(rttMs: number): boolean {
    if (rttMs < 0 || rttMs > MAX_RTT_MS) return false;
    if (!this.#known) {
      this.#known = true;
      this.#srtt = rttMs;
      this.#rttvar = rttMs / 2;
    } else {
      this.#rttvar += (Math.abs(rttMs - this.#srtt) - this.#rttvar) / 4;
      this.#srtt += (rttMs - this.#srtt) / 8;
    }
    return true;
  }
}
