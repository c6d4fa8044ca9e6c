/**
 * How much may be on the way and how fast it leaves. The wire protocol leaves this to each sender: a stock peer has no
 * congestion window at all and bursts up to 1024 segments (rendezvous §10.4), which overruns socket buffers and fills
 * queues with lag. Ours follows a model of the path, bandwidth and shortest round trip, as BBR does, and bounds the queue
 * that it makes itself: the window is `bandwidth × (shortest round trip + QUEUE_MS)`. Random loss does not slow it down;
 * loss that answers to the window (an overrun buffer) does. Bytes are those on the way, headers included.
 */
import { BaseRoundTrip } from './base-round-trip.ts';
import { FULL_SEGMENT } from './constants.ts';
import { MAX_ACK_DELAY_MS } from './recovery.ts';

/** The first window is what 1 Mbit/s carries in a round trip: 6 segments at least, and the ten of RFC 6928 at most. */
const INITIAL_WINDOW = { perMs: 125, min: 6 * FULL_SEGMENT, max: 10 * FULL_SEGMENT } as const;
/** So that a lost segment is noticed by the later ones. */
const MIN_WINDOW = 4 * FULL_SEGMENT;
/** Before anything is measured. */
const ASSUMED_RTT_MS = 40;
/** Own queue that the window leaves room for; more of it would only be lag. */
const QUEUE_MS = 20;
/** The room for queue and late acks is at most this: a receiver's socket buffer is no longer, and on a LAN it is the queue. */
const MAX_QUEUE_BYTES = 768 * FULL_SEGMENT;
/** What the window allows leaves in half a round trip. */
const STARTUP_GAIN = 2;
/** The window doubles each round trip … */
const STARTUP_GROW = 1;
/** … or becomes three times as large, as long as acks come as early as the first, give or take so much: there is no queue. */
const STARTUP_RUSH = { grow: 2, slackMs: 4 } as const;
/** A round of the start in which the rate grows by less is a sign of the bottleneck; three of them are proof. */
const STARTUP_GROWTH = 1.25;
const STARTUP_STALLS = 3;
/** Looking for more ends when so many packets of acks in a row show a queue … */
const QUEUE_SAMPLES = 4;
/** … over at least this time, … */
const QUEUE_SPAN_MS = 5;
/** … of this much: a share of the round trip within these bounds (as HyStart++ does), the lower one an ack's delay. */
const QUEUE_SHARE = 1 / 8;
const QUEUE_MIN_MS = 12;
const QUEUE_MAX_MS = 20;
/** Looking for more bandwidth, draining what that queued, and between the two. */
const UP_GAIN = 0.25;
/** … but not so that a round trip of it queues more than this. */
const UP_QUEUE_MS = 25;
const DOWN_GAIN = 0.75;
const CRUISE_ROUNDS = 6;
/** While the queue is longer than this, and than two segments need, the rate stays a little below the bandwidth. */
const CRUISE_QUEUE_MS = 10;
const CRUISE_QUEUE_BYTES = 2 * FULL_SEGMENT;
/** A queue that others fill does not drain: go on after so many rounds. */
const DOWN_ROUNDS = 3;
const CRUISE_DRAIN_GAIN = 0.92;
/** A round that looks for more goes on into the next as long as it finds this much. */
const UP_GROWTH = 1.1;
/** The bandwidth is the best of so many rounds: more than one cycle, so that a found rate is not forgotten between. */
const RATE_ROUNDS = 10;
/** … but of so few, when a queue stood that long: then the path carries less than it did. */
const QUEUED_ROUNDS = 2;
/** … and rates of more than so many times that are of another path. */
const FORGOTTEN = 2;
/** A round has at least this many bytes, or chance alone would measure. */
const MIN_ROUND_BYTES = 8 * FULL_SEGMENT;
const MAX_ROUND_MS = 500;
/** More loss than this in a round counts as an overrun, not as a noisy line: even bad radio links stay below. */
const OVERRUN_LOSS = 0.25;
/** … in rounds of at least this many bytes: in smaller ones chance alone reaches it at 10 % loss. */
const OVERRUN_SAMPLE = 64 * FULL_SEGMENT;
const OVERRUN_CUT = 0.8;
/** A search for more ends at this much loss beyond what the line has anyway, of at least so many bytes. */
const SEARCH_LOSS = 0.1;
const SEARCH_LOSS_SAMPLE = 4 * FULL_SEGMENT;
/** The rate makes up for so much loss at most. */
const MAX_LOSS_ALLOWANCE = 0.1;
/** A queue that outlives so many rounds of holding back, and so much time, may be that of others. */
const SUSPECT_ROUNDS = 6;
const SUSPECT_MS = 400;

const SHARING_ROOM = 1.25;

type Mode = 'startup' | 'down' | 'cruise' | 'up';

export class Congestion {
  #mode: Mode = 'startup';
  #window: number;
  #ceiling = Infinity;
  #bandwidth = 0;
  readonly #rates = new Float64Array(RATE_ROUNDS);
  #rateAt = 0;
  #searchRate = 0;
  #stalls = 0;
  /** Rounds in this mode. */
  #rounds = 0;
  #lossShare = 0;
  #suspended = false;
  readonly #base = new BaseRoundTrip(queueLimitMs);
  #queueMs = 0;
  /** Rounds in a row that had a queue, and when the first of them ended. */
  #queuedRounds = 0;
  #queuedSince = 0;
  // The current round: until a transmission numbered #roundEnd or later is acknowledged.
  #roundEnd = 0;
  #roundStart: number;
  #roundSentAt = 0;
  #roundBytes = 0;
  #roundLost = 0;
  #roundMinRtt = Infinity;
  #roundLimited = false;
  #roundDone = false;
  #newestSentAt = 0;
  #ackedBytes = 0;

  // Shortest round trip of the last packets of acks.
  #watched = 0;
  #watchedRtt = Infinity;
  #watchedAt = 0;
  /** Shortest of the current packet of acks: the others were held back by the receiver, not by a queue. */
  #packetRtt = Infinity;
  readonly #assumedRtt: number;

  /** `rttMs`: of the handshake, if known. Its packets are small, so it paces the start and is not the shortest. */
  constructor(nowMs: number, rttMs = ASSUMED_RTT_MS) {
    this.#roundStart = nowMs;
    this.#assumedRtt = rttMs;
    this.#window = Math.min(INITIAL_WINDOW.max, Math.max(INITIAL_WINDOW.min, INITIAL_WINDOW.perMs * rttMs));
  }

  /** Bytes that may be on the way at once. */
  get window(): number {
    return this.#suspended ? MIN_WINDOW : this.#window;
  }

  /** Bytes per ms at which they leave. */
  get pacingRate(): number {
    // The measured rate is that of the last round, half of what the window is by now.
    if (this.#mode === 'startup') return (STARTUP_GAIN * this.#window) / this.#rtt;
    return (this.#gain * this.#bandwidth) / (1 - Math.min(this.#lossShare, MAX_LOSS_ALLOWANCE));
  }

  /** What the path delivers, in bytes per ms; 0 before the first measurement. */
  get bandwidth(): number {
    return this.#bandwidth;
  }

  /** Shortest round trip seen lately, in ms; Infinity before the first. */
  get minRttMs(): number {
    return this.#base.shortest;
  }

  get #rtt(): number {
    return Math.max(0.1, this.#base.shortest === Infinity ? this.#assumedRtt : this.#base.shortest);
  }

  get #gain(): number {
    switch (this.#mode) {
      case 'up':
        return 1 + Math.min(UP_GAIN, UP_QUEUE_MS / this.#rtt);
      case 'down':
        return DOWN_GAIN;
      default:
        return this.#queued ? CRUISE_DRAIN_GAIN : 1;
    }
  }

  /** There is a queue, of others or our own. */
  get #queued(): boolean {
    return this.#isQueue(this.#queueMs);
  }

  #isQueue(ms: number): boolean {
    return ms > CRUISE_QUEUE_MS && ms * this.#bandwidth > CRUISE_QUEUE_BYTES;
  }

  /** A segment leaves; `order` counts transmissions. */
  onSent(nowMs: number, order: number, pipeBytes: number): void {
    if (pipeBytes > 0) return;
    // Nothing was on the way: what is measured from here on begins now.
    this.#startRound(nowMs, nowMs, order);
  }

  /** The sender had less to send than it might have. */
  onAppLimited(): void {
    this.#roundLimited = true;
  }

  onRtt(nowMs: number, rttMs: number): void {
    this.#packetRtt = Math.min(this.#packetRtt, rttMs);
    this.#roundMinRtt = Math.min(this.#roundMinRtt, rttMs);
    this.#base.sample(nowMs, rttMs);
  }

  /** A segment has arrived that was sent at `sentAt` as transmission `order`; 0 and -1 when that is not known. */
  onAcked(bytes: number, sentAt: number, order: number): void {
    this.#ackedBytes += bytes;
    if (sentAt > this.#newestSentAt) this.#newestSentAt = sentAt;
    if (order >= this.#roundEnd) this.#roundDone = true;
  }

  onLost(bytes: number): void {
    this.#roundLost += bytes;
  }

  /** A lost segment was not lost after all. */
  onNeedless(bytes: number): void {
    this.#roundLost -= bytes;
  }

  /** Nothing is heard of the peer: ask with little until it answers. */
  suspend(): void {
    this.#suspended = true;
  }

  /** After all segments of a packet; `orders` is the number of the next transmission. */
  onPacket(nowMs: number, orders: number): void {
    this.#suspended = false;
    this.#roundBytes += this.#ackedBytes;
    // What came late did so because of a queue, which more would only lengthen.
    const lateMs = this.#packetRtt - this.#rtt;
    if (this.#mode === 'startup' && lateMs <= this.#queueLimitMs) {
      const grow = lateMs <= STARTUP_RUSH.slackMs ? STARTUP_RUSH.grow : STARTUP_GROW;
      this.#window = Math.min(this.#ceiling, this.#window + grow * this.#ackedBytes);
    }
    if (this.#mode === 'startup' || this.#mode === 'up') this.#watchQueue(nowMs);
    this.#ackedBytes = 0;
    this.#packetRtt = Infinity;
    const enough = this.#roundBytes >= MIN_ROUND_BYTES || nowMs - this.#roundStart >= MAX_ROUND_MS;
    if (this.#roundDone && enough) {
      this.#endRound(nowMs);
      this.#startRound(nowMs, this.#newestSentAt, orders);
    }
  }

  #startRound(nowMs: number, sentAt: number, orders: number): void {
    this.#roundEnd = orders;
    this.#roundStart = nowMs;
    this.#roundSentAt = sentAt;
    this.#newestSentAt = sentAt;
    this.#roundBytes = 0;
    // What turns out not to have been lost may have been counted in the round before.
    this.#roundLost = Math.min(0, this.#roundLost);
    this.#roundMinRtt = Infinity;
    this.#roundLimited = false;
    this.#roundDone = false;
  }

  #endRound(nowMs: number): void {
    // Bytes cannot have arrived faster than they left, whatever a batch of acks looks like.
    const elapsed = Math.max(nowMs - this.#roundStart, this.#newestSentAt - this.#roundSentAt, 0.05);
    const sample = this.#roundBytes / elapsed;
    this.#judgeQueue(nowMs);
    if (!this.#roundLimited || sample > this.#bandwidth) this.#takeRate(sample);
    const lost = Math.max(0, this.#roundLost);
    const total = lost + this.#roundBytes;
    const loss = total > 0 ? lost / total : 0;
    if (this.#mode === 'cruise' || this.#mode === 'down') this.#lossShare += (loss - this.#lossShare) / 8;
    const overrun = total >= OVERRUN_SAMPLE && loss > OVERRUN_LOSS;
    this.#adaptCeiling(overrun);
    this.#nextMode(sample, overrun);
    if (this.#mode !== 'startup') this.#window = this.#target(nowMs);
  }

  #judgeQueue(nowMs: number): void {
    if (this.#roundMinRtt === Infinity) return;
    // Of a queue that is not ours we would only make room for those whose it is.
    this.#queueMs = this.#base.sharing(nowMs) ? 0 : Math.max(0, this.#roundMinRtt - this.#rtt);
    this.#queuedRounds = this.#queued ? this.#queuedRounds + 1 : 0;
    if (this.#queuedRounds === 1) this.#queuedSince = nowMs;
    if (this.#queuedRounds < SUSPECT_ROUNDS || nowMs - this.#queuedSince < SUSPECT_MS) return;
    this.#queuedRounds = 0;
    this.#base.probe(nowMs, this.#roundMinRtt);
  }

  #takeRate(sample: number): void {
    this.#rateAt = (this.#rateAt + 1) % RATE_ROUNDS;
    this.#rates[this.#rateAt] = sample;
    this.#bandwidth = 0;
    const rounds = this.#queuedRounds >= QUEUED_ROUNDS ? QUEUED_ROUNDS : RATE_ROUNDS;
    for (let ago = 0; ago < rounds; ago++) {
      const rate = this.#rates[(this.#rateAt + RATE_ROUNDS - ago) % RATE_ROUNDS] as number;
      this.#bandwidth = Math.max(this.#bandwidth, rate);
    }
    if (rounds === RATE_ROUNDS) return;
    // Or they would come back, and the queue with them, as soon as it has gone.
    for (const [i, rate] of this.#rates.entries())
      if (rate > FORGOTTEN * this.#bandwidth) this.#rates[i] = this.#bandwidth;
  }

  #adaptCeiling(overrun: boolean): void {
    if (overrun) this.#ceiling = Math.max(MIN_WINDOW, Math.min(this.#ceiling, this.#window) * OVERRUN_CUT);
    else if (!this.#roundLimited) this.#ceiling += Math.max(8 * FULL_SEGMENT, this.#ceiling / 8);
  }

  get #queueLimitMs(): number {
    return queueLimitMs(this.#rtt);
  }

  /** Ends a search in the middle of a round: until its end the queue would go on growing. */
  #watchQueue(nowMs: number): void {
    this.#watchedRtt = Math.min(this.#watchedRtt, this.#packetRtt);
    if (this.#watched++ === 0) this.#watchedAt = nowMs;
    // All of what waited while this computer was busy comes late, at once.
    if (
      this.#watched < QUEUE_SAMPLES ||
      nowMs - this.#watchedAt < QUEUE_SPAN_MS ||
      this.#watchedRtt === Infinity
    )
      return;
    const lost = this.#roundLost / (this.#roundLost + this.#roundBytes);
    if (
      this.#mode === 'up' &&
      this.#roundLost > SEARCH_LOSS_SAMPLE &&
      lost > SEARCH_LOSS + 2 * this.#lossShare
    )
      this.#enter('down');
    const queueMs = this.#watchedRtt - this.#rtt;
    const rate = this.#bandwidth || this.#roundBytes / Math.max(1, nowMs - this.#roundStart - this.#rtt);
    if (!this.#base.sharing(nowMs) && queueMs > this.#queueLimitMs && queueMs * rate > CRUISE_QUEUE_BYTES) {
      if (this.#bandwidth === 0) this.#takeRate(rate);
      this.#queueMs = queueMs;
      this.#enter('down');
      this.#window = this.#target(nowMs);
    }
    this.#watched = 0;
    this.#watchedRtt = Infinity;
  }

  #nextMode(sample: number, overrun: boolean): void {
    this.#rounds++;
    switch (this.#mode) {
      case 'startup':
        if (!this.#roundLimited) {
          if (sample > this.#searchRate * STARTUP_GROWTH) {
            this.#searchRate = sample;
            this.#stalls = 0;
          } else this.#stalls++;
        }
        if (overrun || this.#stalls >= STARTUP_STALLS) this.#enter('down');
        break;
      case 'down':
        // What is measured now was sent a round trip ago; so much has drained since.
        if (!this.#isQueue(this.#queueMs - (1 - DOWN_GAIN) * this.#rtt) || this.#rounds >= DOWN_ROUNDS)
          this.#enter('cruise');
        break;
      case 'cruise':
        if (this.#queuedRounds >= QUEUED_ROUNDS && this.#queueMs > 2 * this.#queueLimitMs)
          this.#enter('down');
        else if (this.#rounds >= CRUISE_ROUNDS) {
          this.#enter('up');
          this.#searchRate = this.#bandwidth;
        }
        break;
      case 'up':
        // The first round still tells of what was sent before it.
        if (overrun || this.#queued || (this.#rounds > 1 && sample < this.#searchRate * UP_GROWTH))
          this.#enter('down');
        else if (this.#rounds > 1) this.#searchRate = sample;
    }
  }

  #enter(mode: Mode): void {
    this.#mode = mode;
    this.#rounds = 0;
  }

  #target(nowMs: number): number {
    // Beside others there must be room to find more: their queue comes and goes.
    const rtt = this.#base.sharing(nowMs) ? SHARING_ROOM * this.#base.current(nowMs) : this.#rtt;
    const room = Math.min(this.#bandwidth * (QUEUE_MS + MAX_ACK_DELAY_MS), MAX_QUEUE_BYTES);
    const target = this.#base.probing(nowMs) ? (this.#bandwidth * rtt) / 2 : this.#bandwidth * rtt + room;
    return Math.max(MIN_WINDOW, Math.min(target, this.#ceiling));
  }
}

/** What of a queue ends a search for more, at that shortest round trip. */
function queueLimitMs(rttMs: number): number {
  return Math.min(Math.max(rttMs * QUEUE_SHARE, QUEUE_MIN_MS), QUEUE_MAX_MS);
}
