/**
 * How much may be on its way by one path: enough to fill it, little enough that input and picture do not queue behind bulk.
 * The path below (TCP, KCP) controls congestion; this bounds what is buffered in it, where it does not do so itself. Rate and
 * shortest round trip are measured from acknowledgements, as BBR does.
 */
import {
  IN_FLIGHT_BYTES,
  LARGE_FRAGMENT,
  MAX_FRAGMENT_BYTES,
  MIN_FRAGMENT_BYTES,
  MIN_RTT_LIFE_MS,
  PATH_QUEUE_BYTES,
  PATH_QUEUE_MS,
  RATE_LIFE_MS,
} from './multipath-limits.ts';

/** State of the path when a record left by it. */
export interface FlowMark {
  readonly sentAt: number;
  readonly delivered: number;
  readonly deliveredAt: number;
  /** When that left which had arrived last by then. */
  readonly deliveredSentAt: number;
  /** There was nothing more to send then, so that the path could have carried more. */
  readonly limited: boolean;
}

/** In flight, in round trips: acks come in steps; while the rate still grows it needs room to double. */
const ROUND_TRIPS = { growing: 2, found: 1.25 } as const;
/** The rate grows when it is so many times what it was, and is found when it has not done so for so many round trips. */
const GROWTH = { times: 1.25, roundTrips: 3 } as const;
/** While the shortest round trip is measured anew: less than fits, so that the queue runs dry. */
const DRAINED = 0.75;
const DRAIN_MS = 150;
/**
 * What may leave at once beside what is on its way already, where less was than may be. TCP may still have the window for all, which
 * would overflow the next queue; with a round trip below `nearMs` no queue is that short.
 */
const FIRST_FLIGHT_BYTES = { near: 1024 * 1024, far: 256 * 1024, nearMs: 5 } as const;
/** What the first flight of a path may take, in milliseconds: nothing is known of its rate yet. */
const UNKNOWN_RATE_MS = 600;

export class PathFlow {
  #inFlight = 0;
  #delivered = 0;
  #deliveredAt = 0;
  #deliveredSentAt = 0;
  /** What was delivered when the last record is through before which there was nothing more to send; so it begins. */
  #limitedUntil = 1;
  /** Bytes per millisecond: the best of this period and of the one before. */
  #rate = 0;
  #olderRate = 0;
  #rateSince = 0;
  /** There was once more to send than left: before, a few small messages say little about what the path carries. */
  #filled = false;
  /** The rate when it last grew, and until when it counts as growing. */
  #reached = 0;
  #growsUntil = 0;
  #minRtt = Number.POSITIVE_INFINITY;
  #minRttAt = 0;
  #drainUntil = 0;
  #drainRtt = Number.POSITIVE_INFINITY;
  /** As TCP's: what may be on its way as it was lately, and so much more as has arrived. */
  #window: number = FIRST_FLIGHT_BYTES.near;
  readonly #bounded: boolean;

  /**
   * `bounded`: the path keeps its queue short from one end to the other and says when it is full. A second bound above it would
   * only hold it back: while it finds its rate, repairs losses, or shares a line with others.
   */
  constructor(bounded: boolean) {
    this.#bounded = bounded;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** The shortest round trip seen lately; Infinity before the first. */
  get minRttMs(): number {
    return this.#minRtt;
  }

  /** Bytes that may be on their way at once. */
  capBytes(now: number): number {
    return this.#bounded ? IN_FLIGHT_BYTES.max : this.#measuredCap(now);
  }

  #measuredCap(now: number): number {
    const rate = Math.max(this.#rate, this.#olderRate);
    if (rate === 0) return IN_FLIGHT_BYTES.initial;
    const roundTrip = rate * this.#minRtt;
    const full = roundTrip * ROUND_TRIPS.found + Math.min(rate * PATH_QUEUE_MS, PATH_QUEUE_BYTES);
    const grown = now < this.#growsUntil ? Math.max(full, roundTrip * ROUND_TRIPS.growing) : full;
    const bytes = Math.min(now < this.#drainUntil ? roundTrip * DRAINED : grown, this.#window);
    const least = this.#filled ? IN_FLIGHT_BYTES.min : IN_FLIGHT_BYTES.initial;
    return Math.min(IN_FLIGHT_BYTES.max, Math.max(least, bytes));
  }

  /** Milliseconds in which what is on its way should have been acknowledged. */
  drainMs(): number {
    if (this.#inFlight === 0) return 0;
    const rate = Math.max(this.#rate, this.#olderRate);
    if (rate === 0) return this.#inFlight < MIN_FRAGMENT_BYTES ? 0 : UNKNOWN_RATE_MS;
    return this.#inFlight / rate + this.#minRtt;
  }

  /** Size of the next piece: an eighth of what may be on its way, on a fast path a quarter, as a power of two. */
  fragmentBytes(now: number): number {
    const cap = this.#measuredCap(now);
    const quick = Math.max(this.#rate, this.#olderRate) * LARGE_FRAGMENT.ms;
    const most = Math.max(Math.min(cap / 8, LARGE_FRAGMENT.bytes), Math.min(cap / 4, quick, MAX_FRAGMENT_BYTES));
    let size = MIN_FRAGMENT_BYTES;
    while (size * 2 <= most) size *= 2;
    return size;
  }

  sent(bytes: number, now: number): FlowMark {
    if (this.#inFlight === 0) this.#deliveredAt = this.#deliveredSentAt = now;
    this.#inFlight += bytes;
    return {
      sentAt: now,
      delivered: this.#delivered,
      deliveredAt: this.#deliveredAt,
      deliveredSentAt: this.#deliveredSentAt,
      limited: this.#delivered < this.#limitedUntil,
    };
  }

  /** Nothing more was there to send: what is on its way now says little about what the path can do. */
  ranDry(): void {
    this.#limitedUntil = this.#delivered + this.#inFlight + 1;
  }

  /** `measured`: the acknowledgement came by this path, so that it tells something about it. */
  acknowledged(bytes: number, mark: FlowMark, now: number, measured: boolean): void {
    const { near, far, nearMs } = FIRST_FLIGHT_BYTES;
    const flight = this.#inFlight + (this.#minRtt < nearMs ? near : far);
    // Where more waits to be sent, acknowledgements that come all at once have not emptied the path.
    const known = this.#delivered < this.#limitedUntil ? Math.min(this.#window, flight) : this.#window;
    this.#window = Math.min(IN_FLIGHT_BYTES.max, known + bytes);
    this.#inFlight = Math.max(0, this.#inFlight - bytes);
    this.#delivered += bytes;
    this.#deliveredAt = now;
    this.#deliveredSentAt = mark.sentAt;
    if (!measured) return;
    this.#measureRtt(now - mark.sentAt, now);
    // Behind a loss much arrives at once; no faster than it left can it have been carried.
    const ms = Math.max(now - mark.deliveredAt, mark.sentAt - mark.deliveredSentAt, Math.min(this.#minRtt, 1), 0.1);
    const rate = (this.#delivered - mark.delivered) / ms;
    if (!mark.limited) this.#filled = true;
    if (mark.limited && rate <= Math.max(this.#rate, this.#olderRate)) return;
    if (now - this.#rateSince > RATE_LIFE_MS) {
      this.#olderRate = this.#rate;
      this.#rate = 0;
      this.#rateSince = now;
    }
    this.#rate = Math.max(this.#rate, rate);
    this.#watchGrowth(Math.max(this.#rate, this.#olderRate), now);
  }

  #watchGrowth(rate: number, now: number): void {
    const grows = rate > this.#reached * GROWTH.times;
    if (grows) this.#growsUntil = now + GROWTH.roundTrips * this.#minRtt;
    if (grows || rate < this.#reached / GROWTH.times) this.#reached = rate;
  }

  /** What was on its way is sent again elsewhere. */
  abandon(): void {
    this.#inFlight = 0;
  }

  #measureRtt(rttMs: number, now: number): void {
    if (now < this.#drainUntil) this.#drainRtt = Math.min(this.#drainRtt, rttMs);
    else if (this.#drainUntil > 0) {
      this.#drainUntil = 0;
      this.#minRtt = Math.min(this.#drainRtt, rttMs);
      this.#minRttAt = now;
    }
    // Close to the shortest counts as the shortest: otherwise a steady path would be drained for nothing.
    if (rttMs <= this.#minRtt * 1.25 + 1) this.#minRttAt = now;
    if (rttMs < this.#minRtt) this.#minRtt = rttMs;
    else if (now - this.#minRttAt > MIN_RTT_LIFE_MS) {
      this.#minRttAt = now;
      this.#drainRtt = Number.POSITIVE_INFINITY;
      this.#drainUntil = now + Math.max(DRAIN_MS, 2 * this.#minRtt);
    }
  }
}
