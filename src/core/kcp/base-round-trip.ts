/** A shortest round trip that nothing has confirmed for so long is asked for anew. */
const LIFE_MS = 10_000;
/** A sample this close to the shortest shows that it still holds. */
const SLACK_MS = 1;
/** A queue that others fill is taken as theirs for so long, then looked at again. */
const SHARING_MS = 5_000;
/** After a computer's sleep its last round trip is as long as that was. */
const MAX_PROBE_MS = 2_000;
/** On a busy computer single round trips say little: one of so much time does. */
const MIN_PROBE_MS = 200;

/**
 * The shortest round trip of the path, and whose the queue is that stands above it. A queue that does not go away while we
 * hold back for two round trips is filled by somebody else, who takes what we leave until nothing is left to us (a TCP
 * download beside a call); then delay is no measure for how much to send. All times in ms.
 */
export class BaseRoundTrip {
  #shortest = Infinity;
  #confirmedAt = 0;
  #probeUntil = -Infinity;
  #probed = Infinity;
  #sharingUntil = -Infinity;
  #withOthers = 0;
  /** What counts as no queue at all. */
  readonly #tolerance: (shortest: number) => number;

  constructor(tolerance: (shortest: number) => number) {
    this.#tolerance = tolerance;
  }

  /** The shortest seen lately; Infinity before the first. */
  get shortest(): number {
    return this.#shortest;
  }

  /** Hold back now: the sender's own queue is to drain. */
  probing(nowMs: number): boolean {
    return nowMs < this.#probeUntil;
  }

  /** The queue is that of others. */
  sharing(nowMs: number): boolean {
    return nowMs < this.#sharingUntil;
  }

  /** The round trip to reckon with: the shortest, or the one with the queue of others in it. */
  current(nowMs: number): number {
    return this.sharing(nowMs) ? this.#withOthers : this.#shortest;
  }

  sample(nowMs: number, rttMs: number): void {
    if (this.probing(nowMs)) {
      this.#probed = Math.min(this.#probed, rttMs);
      return;
    }
    if (this.#probed < Infinity) this.#endProbe(nowMs, Math.min(this.#probed, rttMs));
    else if (rttMs <= this.#shortest + SLACK_MS) {
      this.#shortest = Math.min(this.#shortest, rttMs);
      this.#confirmedAt = nowMs;
    } else if (nowMs - this.#confirmedAt > LIFE_MS || this.#sharedUntilNow(nowMs)) this.probe(nowMs, rttMs);
  }

  /** Finds out for two round trips what is left when we hold back. */
  probe(nowMs: number, rttMs: number): void {
    if (this.probing(nowMs)) return;
    this.#probed = rttMs;
    this.#probeUntil = nowMs + Math.min(Math.max(2 * rttMs, MIN_PROBE_MS), MAX_PROBE_MS);
  }

  #sharedUntilNow(nowMs: number): boolean {
    return this.#sharingUntil > -Infinity && nowMs >= this.#sharingUntil;
  }

  #endProbe(nowMs: number, probed: number): void {
    this.#probed = Infinity;
    const queued = probed > this.#shortest + this.#tolerance(this.#shortest);
    this.#withOthers = probed;
    this.#sharingUntil = queued ? nowMs + SHARING_MS : -Infinity;
    // Not seen for long: the path has another length now.
    if (nowMs - this.#confirmedAt > LIFE_MS) this.#shortest = probed;
    else if (queued) return;
    this.#confirmedAt = nowMs;
  }
}
