/**
 * Bytes of unfinished frames over all connections. Each may hold one frame, and an attacker has many connections; clients
 * send their frames in one piece, so that whoever makes the server hold much is the one to be dropped.
 */
export interface BufferBudgetLimits {
  /** Bytes of unfinished frames in all. */
  readonly maxBufferedBytes: number;
  /** Bytes that each connection may hold whatever the others do: more than a stock client ever sends at once. */
  readonly bufferedBytesAlwaysFree: number;
}

export class BufferBudget {
  readonly #limits: BufferBudgetLimits;
  #used = 0;

  constructor(limits: BufferBudgetLimits) {
    this.#limits = limits;
  }

  get used(): number {
    return this.#used;
  }

  /** A connection that held `before` bytes holds `now`. False: it is too much and the connection must go. */
  change(before: number, now: number): boolean {
    this.#used += now - before;
    return now <= before || now <= this.#limits.bufferedBytesAlwaysFree || this.#used <= this.#limits.maxBufferedBytes;
  }
}
