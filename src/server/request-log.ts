/** The last introductions and how they ended, for an operator (rendezvous §1.4, the punch log of hbbs). */
import type { Counters } from './counters.ts';
import type { Detail, Reason } from './observe/reasons.ts';

export interface RequestLine {
  /** ISO 8601. */
  readonly at: string;
  /** A name of observe/reasons.ts. */
  readonly outcome: Reason;
  readonly id: string;
  readonly from: string;
  readonly via: string;
}

const MAX_ID_LENGTH = 64;
const LOGGED = /^(introduced|punch)-/;

export class RequestLog {
  readonly #lines: RequestLine[] = [];
  readonly #max: number;
  readonly #unixMs: () => number;
  readonly #stop: () => void;
  #next = 0;

  constructor(counters: Counters, max: number, unixMs: () => number = Date.now) {
    this.#max = max;
    this.#unixMs = unixMs;
    this.#stop = counters.onDecision((reason, detail) => {
      if (LOGGED.test(reason)) this.#note(reason, detail);
    });
  }

  /** The latest first. */
  list(start: number, count: number): RequestLine[] {
    const inOrder = [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)];
    return inOrder.reverse().slice(start, start + count);
  }

  clear(): void {
    this.#lines.length = 0;
    this.#next = 0;
  }

  close(): void {
    this.#stop();
  }

  #note(outcome: Reason, { id = '', from = '', via = 'tcp' }: Detail): void {
    const line = { at: new Date(this.#unixMs()).toISOString(), outcome, id: shortId(id), from, via };
    if (this.#lines.length < this.#max) this.#lines.push(line);
    else {
      this.#lines[this.#next] = line;
      this.#next = (this.#next + 1) % this.#max;
    }
  }
}

/** Ids come from the network, of any length. A copy, not a slice that would keep the whole message. */
function shortId(id: string): string {
  return Buffer.from(id.slice(0, MAX_ID_LENGTH)).toString();
}
