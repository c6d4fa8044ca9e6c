import type { Link } from '../link.ts';

/** Notices a write queue that makes no progress: the peer, or the path to it, stopped taking bytes (session §9.2). */
export class WriteWatch {
  readonly #link: Link;
  #sent = 0;
  #left = 0;
  #stalledSince: number | null = null;

  constructor(link: Link) {
    this.#link = link;
  }

  sent(bytes: number): void {
    this.#sent += bytes;
  }

  /** Milliseconds without progress while something waits, as far as calls of this method can tell. */
  stalledMs(now: number): number {
    const waiting = this.#link.bufferedBytes;
    const left = this.#sent - waiting;
    if (waiting === 0 || left > this.#left) {
      this.#stalledSince = null;
    } else {
      this.#stalledSince ??= now;
    }
    this.#left = left;
    return this.#stalledSince === null ? 0 : now - this.#stalledSince;
  }
}
