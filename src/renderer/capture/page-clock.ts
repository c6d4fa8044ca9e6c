/** Time as a parameter, in the pages as in the core. */
export interface PageClock {
  /** Monotonic milliseconds. */
  now(): number;
  /** Runs `fn` after `delayMs`; the returned function cancels it. */
  setTimer(delayMs: number, fn: () => void): () => void;
}

export const pageClock: PageClock = {
  now: () => performance.now(),
  setTimer(delayMs, fn) {
    const handle = setTimeout(fn, delayMs);
    return () => clearTimeout(handle);
  },
};
