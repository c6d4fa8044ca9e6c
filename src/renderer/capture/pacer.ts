/**
 * When the next picture may be encoded. Encoders overshoot their bit rate when text scrolls, so what they really made is
 * counted: pictures wait until it is paid off, but never so long that motion falls below `MIN_FPS`; a link that cannot
 * carry even that says so itself and stops the stream.
 */
export const MIN_FPS = 12;
/** Unpaid bits are forgiven beyond this time's worth: a key frame must not stop the picture for seconds. */
const MAX_DEBT_SECONDS = 0.5;
/** Debt up to this much is ordinary jitter of an encoder. */
const FREE_DEBT_SECONDS = 0.1;
/** Captured pictures come a little early or late; one that is early by less than this is on time. */
const EARLY_MS = 4;
/**
 * A picture that comes late, by up to this share of the interval, does not put off the next one: captures do not come in
 * step with the frame rate, and the average is to hold.
 */
const CATCH_UP = 0.75;

export class Pacer {
  #maxFps: number;
  #bitrateBps: number;
  #debtBits = 0;
  #paidAt = 0;
  #lastAt = Number.NEGATIVE_INFINITY;
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(maxFps: number, bitrateBps: number) {
    this.#maxFps = maxFps;
    this.#bitrateBps = bitrateBps;
  }

  configure(maxFps: number, bitrateBps: number): void {
    this.#maxFps = maxFps;
    this.#bitrateBps = bitrateBps;
  }

  /** Milliseconds to wait before a picture that is there at `nowMs` is encoded; 0: now. */
  waitMs(nowMs: number): number {
    this.#pay(nowMs);
    const byRate = this.#dueAt - EARLY_MS - nowMs;
    const owed = this.#debtBits / this.#bitrateBps - FREE_DEBT_SECONDS;
    const byDebt = Math.min(owed * 1000, this.#lastAt + 1000 / MIN_FPS - nowMs);
    return Math.max(0, byRate, byDebt);
  }

  encoding(nowMs: number): void {
    const intervalMs = 1000 / this.#maxFps;
    this.#lastAt = nowMs;
    this.#dueAt = Math.max(this.#dueAt, nowMs - intervalMs * CATCH_UP) + intervalMs;
  }

  encoded(nowMs: number, bytes: number): void {
    this.#pay(nowMs);
    this.#debtBits = Math.min(this.#debtBits + bytes * 8, this.#bitrateBps * MAX_DEBT_SECONDS);
  }

  #pay(nowMs: number): void {
    this.#debtBits = Math.max(0, this.#debtBits - ((nowMs - this.#paidAt) / 1000) * this.#bitrateBps);
    this.#paidAt = nowMs;
  }
}
