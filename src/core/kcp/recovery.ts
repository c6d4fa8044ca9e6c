import { KCP_FAST_RESEND, KCP_INTERVAL_MS } from './constants.ts';
import { type Flight, NONE } from './flight.ts';
import type { RoundTrip } from './round-trip.ts';

/** A receiver may hold its acks for one KCP interval (10 ms) and some scheduling. */
export const MAX_ACK_DELAY_MS = KCP_INTERVAL_MS + 2;
/** Own timeouts back off no further: a path that was away must not be found again only seconds later. */
const BACKOFF_LIMIT_MS = 3_000;
const BACKOFF = 1.5;
/** The wait for overtaken segments is this share of the shortest round trip, and grows by it when that was too short. */
const REORDER_SHARE = 1 / 4;
const MAX_REORDER_STEPS = 8;
/** On a fast path it is also the time in which a lost ack is said again. */
const MIN_REORDER_MS = 1;
/** After so many round trips with losses and without a needless resend the wait is back at its shortest. */
const REORDER_CALM_ROUNDS = 16;

/**
 * Which segments are lost (RFC 8985, RACK-TLP): those sent well before one that has arrived, by the time of their last
 * transmission; so a lost repetition is found like any other loss. The end of a burst, which nothing follows, is sent
 * once more after two round trips. Only when nothing at all is heard does a timeout put everything in doubt, and then
 * only the oldest segment asks whether the path still works: a suspended computer or a path that is away causes no flood.
 */
export class Recovery {
  readonly #flight: Flight;
  readonly #roundTrip: RoundTrip;
  // The transmission that was sent last among those that arrived.
  #newestOrder = -1;
  #newestRtt = 0;
  /** The same before the current packet of acks. */
  #olderOrder = -1;
  /** Highest segment number that arrived. */
  #highest = -1;
  #reordered = false;
  #reorderSteps = 1;
  #calmUntilOrder = 0;
  #calmRounds = 0;
  /** Overtaken segments are looked at again then. */
  #reorderAt = Infinity;
  // Timeouts.
  #progressAt = 0;
  #probed = false;
  #backoff = 1;
  #timeouts = 0;
  /** The transmission that asked for an answer because of a timeout. */
  #questionOrder = -1;

  constructor(flight: Flight, roundTrip: RoundTrip) {
    this.#flight = flight;
    this.#roundTrip = roundTrip;
  }

  /** Timeouts in a row without any word of the peer; above 0 the path may be away. */
  get timeouts(): number {
    return this.#timeouts;
  }

  /** A segment leaves and nothing else was in flight: the wait begins. */
  restart(nowMs: number): void {
    this.#progressAt = nowMs;
    this.#probed = false;
  }

  /**
   * A segment arrived, and the flight still has it. `exact`: by an ack of its last transmission, not by implication.
   */
  onArrived(nowMs: number, slot: number, exact: boolean): void {
    const flight = this.#flight;
    // Which transmission arrived is not known: taking it for the last one would make all before that look lost.
    if (flight.transmits(slot) > 1 && !exact) return;
    const rtt = nowMs - flight.sentAt(slot);
    if (flight.order(slot) > this.#newestOrder) {
      this.#newestOrder = flight.order(slot);
      this.#newestRtt = rtt;
    }
    const sn = flight.sn(slot);
    if (this.#highest === -1 || ((sn - this.#highest) | 0) > 0) this.#highest = sn;
    else if (flight.transmits(slot) === 1) this.#reordered = true;
  }

  /** The earlier transmission of a segment that was sent again has arrived: we were too hasty. */
  onNeedless(slot: number): void {
    // … with a question that was due by time; that says nothing of the order of the path.
    if (this.#flight.order(slot) === this.#questionOrder) return;
    this.#reordered = true;
    this.#reorderSteps = Math.min(MAX_REORDER_STEPS, this.#reorderSteps + 1);
    this.#calmRounds = 0;
  }

  /** After all arrivals of a packet; answers the segments that this shows as lost to `lose`. */
  onProgress(nowMs: number, minRttMs: number, lose: (slot: number) => void): void {
    this.#progressAt = nowMs;
    this.#probed = false;
    this.#backoff = 1;
    this.#timeouts = 0;
    // What was lost may have been a packet of acks, which the next one repeats: then two of them must tell of a loss.
    this.#detect(nowMs, minRttMs, this.#reordered ? this.#olderOrder : this.#newestOrder, lose);
    this.#olderOrder = this.#newestOrder;
  }

  /** What is due by time alone. Returns true when a segment may leave whatever the window says: it asks for an answer. */
  onTime(nowMs: number, minRttMs: number, lose: (slot: number) => void): boolean {
    if (nowMs >= this.#reorderAt) this.#detect(nowMs, minRttMs, this.#newestOrder, lose);
    const flight = this.#flight;
    if (flight.count === 0 || nowMs < this.#timeoutAt()) return false;
    this.#progressAt = nowMs;
    this.#questionOrder = flight.orders;
    if (!this.#probed) {
      this.#probed = true;
      const newest = flight.newestSent;
      if (newest !== NONE) flight.lose(newest);
      return true;
    }
    this.#timeouts++;
    this.#backoff *= BACKOFF;
    const oldest = flight.oldestSent;
    if (!flight.hasLost && oldest !== NONE) flight.lose(oldest);
    return true;
  }

  /** When to call `onTime`; Infinity: nothing is waited for. */
  nextAt(): number {
    return Math.min(this.#reorderAt, this.#timeoutAt());
  }

  #timeoutAt(): number {
    if (this.#flight.count === 0) return Infinity;
    const rto = this.#roundTrip.timeoutMs;
    const srtt = this.#roundTrip.smoothedMs;
    if (!this.#probed && srtt > 0)
      return this.#progressAt + Math.min(Math.max(2 * srtt, KCP_INTERVAL_MS), rto) + MAX_ACK_DELAY_MS;
    return this.#progressAt + Math.max(rto, Math.min(rto * this.#backoff, BACKOFF_LIMIT_MS));
  }

  /** Loses what was sent before transmission `newest` and long enough ago. */
  #detect(nowMs: number, minRttMs: number, newest: number, lose: (slot: number) => void): void {
    const flight = this.#flight;
    const wait = this.#newestRtt + this.#reorderWait(minRttMs);
    this.#reorderAt = Infinity;
    let found = false;
    for (let slot = flight.oldestSent; slot !== NONE; ) {
      if (flight.order(slot) > this.#newestOrder) break;
      const due = flight.sentAt(slot) + wait;
      // The ring is in the order of sending, so the rest is due later still.
      if (due > nowMs || flight.order(slot) > newest) {
        this.#reorderAt = Math.max(due, nowMs + MIN_REORDER_MS);
        break;
      }
      const next = flight.sentAfter(slot);
      lose(slot);
      found = true;
      slot = next;
    }
    if (found) this.#countCalm();
  }

  #reorderWait(minRttMs: number): number {
    if (!this.#reordered && this.#flight.acknowledgedBeyond >= KCP_FAST_RESEND) return 0;
    const wait = minRttMs * REORDER_SHARE * this.#reorderSteps;
    return this.#reordered ? Math.max(MIN_REORDER_MS, Math.min(this.#roundTrip.smoothedMs, wait)) : wait;
  }

  /** Once per round trip with a loss. */
  #countCalm(): void {
    if (this.#newestOrder < this.#calmUntilOrder) return;
    this.#calmUntilOrder = this.#flight.orders;
    if (++this.#calmRounds < REORDER_CALM_ROUNDS) return;
    this.#calmRounds = 0;
    this.#reorderSteps = 1;
    this.#reordered = false;
  }
}
