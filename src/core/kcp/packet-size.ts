import { KCP_HEADER, KCP_MTU } from './constants.ts';

/** A trial may be lost like any other packet. */
const MAX_TRIALS = 3;
const TRIAL_WAIT_MS = 500;
/** Set in the clock of a trial, so that its ack is not taken for one of data. */
const TRIAL_TS = 0x80000000;

/**
 * How large packets are: 1200 bytes, as every peer sends them (rendezvous §10.4), until a trial has shown that the path
 * carries more. A trial is a PUSH of a segment that was acknowledged before: any receiver drops it and acknowledges it once
 * more, with the trial's clock. Since a segment keeps its length however often it leaves, this is only for paths whose
 * limit does not change: on one link, without routers between.
 */
export class PacketSize {
  #bytes = KCP_MTU;
  #wanted = KCP_MTU;
  #trials = 0;
  #at = Infinity;
  #sn = -1;
  #ts = 0;

  /** Bytes of a packet, with the headers of its segments. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Data of one segment that fills a packet. */
  get segmentBytes(): number {
    return this.#bytes - KCP_HEADER;
  }

  /** What a trial would have. */
  get wanted(): number {
    return this.#wanted;
  }

  /** When the next trial is due; Infinity: never. */
  get at(): number {
    return this.#at;
  }

  /** Finds out from `nowMs` on whether packets of so many bytes arrive. */
  want(nowMs: number, bytes: number): void {
    if (bytes <= this.#bytes) return;
    this.#wanted = bytes;
    this.#trials = 0;
    this.#at = nowMs;
  }

  /** A trial leaves as a repetition of segment `sn`; the clock for its header. */
  tried(nowMs: number, sn: number, clock: number): number {
    this.#at = ++this.#trials < MAX_TRIALS ? nowMs + TRIAL_WAIT_MS : Infinity;
    this.#sn = sn;
    this.#ts = (clock ^ TRIAL_TS) >>> 0;
    return this.#ts;
  }

  /** An ack of a segment that nobody waits for. */
  acknowledged(sn: number, ts: number): void {
    if (sn !== this.#sn || ts !== this.#ts) return;
    this.#bytes = this.#wanted;
    this.#sn = -1;
    this.#at = Infinity;
  }
}
