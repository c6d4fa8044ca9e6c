import {
  INITIAL_STREAM_CREDIT,
  MAX_STREAM_WINDOW,
  MIN_WINDOW_RTT_MS,
  WINDOW_GROWTH_BYTES,
  WINDOW_GROWTH_SHARE,
  WINDOW_REST_MS,
} from './limits.ts';

/** What all windows of a link have grown by, together. */
export class GrowthBudget {
  #left = WINDOW_GROWTH_BYTES;

  get left(): number {
    return this.#left;
  }

  /** Up to `bytes` for one stream that holds `held` already; never all that is left. */
  take(bytes: number, held: number): number {
    const granted = Math.max(0, Math.min(bytes, Math.floor((this.#left + held) * WINDOW_GROWTH_SHARE) - held));
    this.#left -= granted;
    return granted;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/**
 * How much the other end may send on one stream. It begins with the initial credit and follows bandwidth × delay as
 * measured where the bytes are read: twice what was read in a round trip, so that it never limits a path that still speeds up.
 */
export class ReceiveWindow {
  readonly #budget: GrowthBudget;
  #size = INITIAL_STREAM_CREDIT;
  /** Credit that the other end has not used yet. */
  #granted = INITIAL_STREAM_CREDIT;
  #unread = 0;
  #epochStart: number;
  #epochBytes = 0;

  constructor(budget: GrowthBudget, nowMs: number) {
    this.#budget = budget;
    this.#epochStart = nowMs;
  }

  get size(): number {
    return this.#size;
  }

  /** Received, not read yet. */
  get unread(): number {
    return this.#unread;
  }

  /** False: the other end sent more than it had credit for. */
  received(bytes: number): boolean {
    if (bytes > this.#granted) return false;
    this.#granted -= bytes;
    this.#unread += bytes;
    return true;
  }

  /** `bytes` were read; answers the credit to send now, often 0. */
  read(bytes: number, nowMs: number, rttMs: number): number {
    this.#unread -= bytes;
    this.#measure(bytes, nowMs, Math.max(rttMs, MIN_WINDOW_RTT_MS));
    const due = this.#size - this.#granted - this.#unread;
    // In quarters: few frames, and the other end still has half a window when the credit arrives.
    if (due < this.#size / 4) return 0;
    this.#granted += due;
    return due;
  }

  /** The stream is over; answers what was never read. */
  release(): number {
    this.#budget.give(this.#size - INITIAL_STREAM_CREDIT);
    this.#size = INITIAL_STREAM_CREDIT;
    const unread = this.#unread;
    this.#unread = 0;
    return unread;
  }

  #measure(bytes: number, nowMs: number, rttMs: number): void {
    const elapsedMs = nowMs - this.#epochStart;
    if (elapsedMs >= WINDOW_REST_MS) {
      // Credit that was given stays given; the window shrinks as it is used up.
      this.#budget.give(this.#size - INITIAL_STREAM_CREDIT);
      this.#size = INITIAL_STREAM_CREDIT;
    }
    this.#epochBytes += bytes;
    if (elapsedMs < rttMs) return;
    const wanted = Math.min(MAX_STREAM_WINDOW, Math.ceil((2 * this.#epochBytes * rttMs) / elapsedMs));
    if (wanted > this.#size) this.#size += this.#budget.take(wanted - this.#size, this.#size - INITIAL_STREAM_CREDIT);
    this.#epochStart = nowMs;
    this.#epochBytes = 0;
  }
}
