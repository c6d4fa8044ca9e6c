/**
 * How many segments may be in flight and how fast they leave. The wire protocol leaves this to each sender: a stock
 * peer has no congestion window at all and bursts up to 1024 segments (rendezvous §10.4), which overruns socket
 * buffers and fills queues with lag. Ours follows the measured delivery rate: window = 2 x rate x round trip, so
 * random loss does not slow it down, while loss that answers to the window (an overrun buffer) does.
 */
const MIN_WINDOW = 32;
const INITIAL_WINDOW = 64;
/** A receiver may hold its acks for one KCP interval (10 ms) and some scheduling; no more of it widens the window. */
const MAX_ACK_DELAY_MS = 12;
const WINDOW_GAIN = 2;
const RATE_ROUNDS = 8;
/** More loss than this in a round counts as an overrun, not as a noisy line: even bad radio links stay below. */
const OVERRUN_LOSS = 0.25;
/** … in rounds of at least this many segments: in smaller ones chance alone reaches it at 10 % loss. */
const OVERRUN_SAMPLE = 64;
const OVERRUN_CUT = 0.8;
const MIN_RTT_LIFE_MS = 10_000;
const MIN_BURST = 64;
const BURST_MS = 2;

export class Congestion {
  readonly #maxWindow: number;
  #window = INITIAL_WINDOW;
  #ceiling: number;
  #startup = true;
  #stalledRounds = 0;
  #startupRate = 0;
  // Delivery rate: segments per ms, best of the last rounds.
  readonly #rates = new Float64Array(RATE_ROUNDS);
  #rateAt = 0;
  #rate = 0;
  // Current round: from now until a segment sent after its start is acknowledged.
  #roundStart = 0;
  #roundDelivered = 0;
  #roundLost = 0;
  #roundAppLimited = true;
  #minRtt = Infinity;
  #minRttAt = 0;
  #probeRttUntil = 0;
  #srtt = 0;
  // Pacing bucket, in segments.
  #tokens = MIN_BURST;
  #tokensAt = 0;

  constructor(maxWindow: number, nowMs: number) {
    this.#maxWindow = maxWindow;
    this.#ceiling = maxWindow;
    this.#roundStart = nowMs;
    this.#tokensAt = nowMs;
    this.#minRttAt = nowMs;
  }

  /** Segments that may be unacknowledged at once. */
  window(nowMs: number): number {
    if (nowMs < this.#probeRttUntil) return Math.max(MIN_WINDOW, this.#window >> 1);
    return this.#window;
  }

  /** Segments that may leave at this moment; below 1 means wait until `nextSendAt`. */
  budget(nowMs: number): number {
    const elapsed = nowMs - this.#tokensAt;
    if (elapsed > 0) {
      const rate = this.#pacingRate();
      const cap = Math.max(MIN_BURST, rate * BURST_MS);
      this.#tokens = Math.min(cap, this.#tokens + elapsed * rate);
      this.#tokensAt = nowMs;
    }
    return this.#tokens;
  }

  /** When a quarter of a burst (never less than one segment) may leave. */
  nextSendAt(): number {
    const want = MIN_BURST / 4;
    return this.#tokens >= 1 ? this.#tokensAt : this.#tokensAt + (want - this.#tokens) / this.#pacingRate();
  }

  onSent(): void {
    this.#tokens--;
  }

  onAppLimited(): void {
    this.#roundAppLimited = true;
  }

  onLoss(): void {
    this.#roundLost++;
  }

  onRtt(nowMs: number, sampleMs: number, srtt: number): void {
    this.#srtt = srtt;
    if (sampleMs <= this.#minRtt) {
      this.#minRtt = sampleMs;
      this.#minRttAt = nowMs;
    } else if (nowMs - this.#minRttAt > MIN_RTT_LIFE_MS) {
      // Let our own queue drain for two round trips, then believe what is measured.
      this.#minRtt = sampleMs;
      this.#minRttAt = nowMs;
      this.#probeRttUntil = nowMs + 2 * srtt;
    }
  }

  /** `roundDone`: a segment that was sent after the round began is among the acknowledged ones. */
  onAcked(nowMs: number, count: number, roundDone: boolean): void {
    this.#roundDelivered += count;
    if (this.#startup) this.#window = Math.min(this.#ceiling, this.#window + count);
    if (!roundDone) return;
    this.#endRound(nowMs);
  }

  #endRound(nowMs: number): void {
    const elapsed = Math.max(nowMs - this.#roundStart, 0.05);
    const sample = this.#roundDelivered / elapsed;
    if (!this.#roundAppLimited || sample > this.#rate) {
      this.#rateAt = (this.#rateAt + 1) % RATE_ROUNDS;
      this.#rates[this.#rateAt] = sample;
      let best = 0;
      for (let i = 0; i < RATE_ROUNDS; i++) best = Math.max(best, this.#rates[i] as number);
      this.#rate = best;
    }

    const total = this.#roundLost + this.#roundDelivered;
    const loss = total > 0 ? this.#roundLost / total : 0;
    const overrun = total >= OVERRUN_SAMPLE && loss > OVERRUN_LOSS;

    if (this.#startup && !this.#roundAppLimited) {
      if (sample > this.#startupRate * 1.25) {
        this.#startupRate = sample;
        this.#stalledRounds = 0;
      } else if (++this.#stalledRounds >= 3) this.#startup = false;
    }
    if (overrun) {
      this.#startup = false;
      this.#ceiling = Math.max(MIN_WINDOW, Math.floor(Math.min(this.#ceiling, this.#window) * OVERRUN_CUT));
    } else if (!this.#roundAppLimited && this.#ceiling < this.#maxWindow) {
      this.#ceiling = Math.min(this.#maxWindow, this.#ceiling + Math.max(8, this.#ceiling >> 3));
    }
    if (!this.#startup) {
      const rtt = Math.min(this.#srtt, this.#minRtt + MAX_ACK_DELAY_MS);
      const target = Math.ceil(WINDOW_GAIN * this.#rate * rtt);
      this.#window = Math.max(MIN_WINDOW, Math.min(target, this.#ceiling));
    }
    this.#roundStart = nowMs;
    this.#roundDelivered = 0;
    this.#roundLost = 0;
    this.#roundAppLimited = false;
  }

  #pacingRate(): number {
    const rtt = Math.max(this.#srtt || 20, 0.1);
    return ((this.#startup ? 2 : 1.25) * this.#window) / rtt;
  }
}
