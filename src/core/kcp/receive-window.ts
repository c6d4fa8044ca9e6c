import { KCP_INTERVAL_MS, KCP_MAX_WINDOW, KCP_WINDOW } from './constants.ts';

/** Received segments are kept up to one window unread plus one window out of order. */
const SLOTS = 2 * KCP_MAX_WINDOW;
const MASK = SLOTS - 1;
/** Acks wait at most one interval, or until this many are there. */
const ACK_BATCH = 16;
/** … this many when much comes in: each packet of them costs both computers a system call. */
const MAX_ACK_BATCH = 32;
/** A fourth of what an interval brings, so that the sender hears four times of it. */
const ACKS_PER_INTERVAL = 4;
/** The sender decides on a loss by the first few segments after it: word of them does not wait. */
const HOLE_URGENT = 4;
/** Acks of segments behind a hole that are said once more: an ack that is lost there costs a needless repetition. */
const MAX_REPEATED = 64;
/** … so many of them in one packet, half of what fits; and no more new ones, so that the next packet can repeat them all. */
const REPEATED_PER_PACKET = 25;
/** A peer that sends more than this before we may answer sends it again. */
const MAX_PENDING_ACKS = 2 * KCP_WINDOW;

/** The receiving half: segments in whatever order they come, bytes in the order they were written, and what to say of it. */
export class ReceiveWindow {
  readonly #adaptive: boolean;
  readonly #maxWindow: number;
  // [#readNext, #next) is in order and unread, beyond it are holes.
  readonly #received: (Uint8Array | undefined)[] = new Array<Uint8Array | undefined>(SLOTS).fill(undefined);
  #window = KCP_WINDOW;
  #readNext = 0;
  #next = 0;
  #outOfOrder = 0;
  readonly #ackSn = new Uint32Array(MAX_PENDING_ACKS);
  readonly #ackTs = new Uint32Array(MAX_PENDING_ACKS);
  #ackHead = 0;
  #ackCount = 0;
  #ackNow = false;
  #lastAckAt = -Infinity;
  /** Since when the oldest ack waits. */
  #ackSince = 0;
  #wasFull = false;
  #reopened = false;
  // How fast segments come in.
  #batch = ACK_BATCH;
  #intervalAt = -Infinity;
  #intervalCount = 0;
  /** Segments that came since the first missing one was missed. */
  #sinceHole = 0;
  readonly #saidSn = new Uint32Array(MAX_REPEATED);
  readonly #saidTs = new Uint32Array(MAX_REPEATED);
  #saidHead = 0;
  #saidCount = 0;

  /**
   * `adaptive`: acks follow the rate of what comes in, those behind a hole are said twice, and the window grows with what
   * was read. Otherwise as a stock peer does it: acks once per interval, one window.
   */
  constructor(adaptive: boolean) {
    this.#adaptive = adaptive;
    this.#maxWindow = adaptive ? KCP_MAX_WINDOW : KCP_WINDOW;
  }

  /** The next segment expected: all before it have arrived. */
  get next(): number {
    return this.#next;
  }

  get readable(): boolean {
    return this.#readNext !== this.#next;
  }

  /** Free slots, as announced to the peer. */
  get free(): number {
    return Math.max(0, this.#window - this.#unread);
  }

  get #unread(): number {
    return (this.#next - this.#readNext) | 0;
  }

  /** True once after a closed window has opened again: the peer should hear of it now instead of by its probe. */
  takeReopened(): boolean {
    const reopened = this.#reopened;
    this.#reopened = false;
    return reopened;
  }

  /** Next received bytes in order; undefined when there are none. */
  read(): Uint8Array | undefined {
    while (this.#readNext !== this.#next) {
      const slot = this.#readNext & MASK;
      const data = this.#received[slot] as Uint8Array;
      this.#received[slot] = undefined;
      this.#readNext = (this.#readNext + 1) >>> 0;
      // A stranger can make us hold one stock window; more is for those whose data is wanted.
      if (this.#window < this.#maxWindow) this.#window++;
      this.#advance();
      if (this.#wasFull && this.#unread <= this.#window / 2) this.#reopen();
      if (data.length > 0) return data;
    }
    if (this.#wasFull) this.#reopen();
    return undefined;
  }

  /** Takes a segment, by reference. */
  push(nowMs: number, sn: number, ts: number, data: Uint8Array, at: number, length: number): void {
    if (this.#adaptive) this.#measure(nowMs);
    const ahead = (sn - this.#next) | 0;
    if (ahead >= this.#window) return;
    if (this.#ackCount < MAX_PENDING_ACKS) {
      if (this.#ackCount === 0) this.#ackSince = nowMs;
      const i = (this.#ackHead + this.#ackCount++) % MAX_PENDING_ACKS;
      this.#ackSn[i] = sn;
      this.#ackTs[i] = ts;
    }
    // A hole, or a repetition (its ack was lost): the sender waits for word of it.
    if (ahead !== 0 && (!this.#adaptive || ahead < 0 || ++this.#sinceHole <= HOLE_URGENT))
      this.#ackNow = true;
    if (ahead < 0) return;
    const slot = sn & MASK;
    if (this.#received[slot] !== undefined) return;
    this.#received[slot] = data.subarray(at, at + length);
    this.#outOfOrder++;
    this.#advance();
  }

  get hasAcks(): boolean {
    return this.#ackCount > 0;
  }

  /**
   * `sending`: data of our own waits to leave and takes the acks along. Where little comes in they need no datagram of their own
   * then, which on a slow line would cost a part of what is sent, unless that lasts too long.
   */
  acksDue(nowMs: number, sending: boolean): boolean {
    const batch = sending && this.#adaptive ? Math.max(2, this.#batch) : this.#batch;
    return this.#ackNow || this.#ackCount >= batch || nowMs >= this.#ackTime(sending);
  }

  /** When acks that wait will be due. */
  ackAt(nowMs: number, sending: boolean): number {
    if (this.#ackCount === 0) return Infinity;
    return this.acksDue(nowMs, sending) ? nowMs : this.#ackTime(sending);
  }

  #ackTime(sending: boolean): number {
    return (sending && this.#adaptive ? this.#ackSince : this.#lastAckAt) + KCP_INTERVAL_MS;
  }

  /** The segment number and clock of the ack to write next. */
  get ackSn(): number {
    return this.#ackSn[this.#ackHead] as number;
  }

  get ackTs(): number {
    return this.#ackTs[this.#ackHead] as number;
  }

  /** The next ack was written. */
  shiftAck(nowMs: number): void {
    if (this.#adaptive && ((this.ackSn - this.#next) | 0) > 0 && this.#saidCount < MAX_REPEATED) {
      const i = (this.#saidHead + this.#saidCount++) % MAX_REPEATED;
      this.#saidSn[i] = this.ackSn;
      this.#saidTs[i] = this.ackTs;
    }
    this.#ackHead = (this.#ackHead + 1) % MAX_PENDING_ACKS;
    this.#ackCount--;
    // What did not fit follows in the next packet.
    this.#ackNow = this.#ackCount > 0;
    this.#lastAckAt = nowMs;
  }

  /** How many new acks a packet takes. */
  get acksPerPacket(): number {
    return this.#adaptive && this.#outOfOrder > 0 ? REPEATED_PER_PACKET : Infinity;
  }

  /** How many acks that an earlier packet said are to be repeated in this one. */
  get repeatable(): number {
    return Math.min(REPEATED_PER_PACKET, this.#saidCount);
  }

  /** Takes the oldest of them: its segment number and clock. */
  takeRepeated(): readonly [sn: number, ts: number] {
    const i = this.#saidHead;
    this.#saidHead = (i + 1) % MAX_REPEATED;
    this.#saidCount--;
    return [this.#saidSn[i] as number, this.#saidTs[i] as number];
  }

  #measure(nowMs: number): void {
    this.#intervalCount++;
    if (nowMs - this.#intervalAt < KCP_INTERVAL_MS) return;
    this.#batch = Math.min(MAX_ACK_BATCH, Math.max(1, Math.floor(this.#intervalCount / ACKS_PER_INTERVAL)));
    this.#intervalAt = nowMs;
    this.#intervalCount = 0;
  }

  #reopen(): void {
    this.#wasFull = false;
    this.#reopened = true;
  }

  /** Moves what has become contiguous into the readable part, up to one window of it. */
  #advance(): void {
    while (this.#outOfOrder > 0 && this.#unread < this.#window) {
      if (this.#received[this.#next & MASK] === undefined) return;
      this.#next = (this.#next + 1) >>> 0;
      this.#outOfOrder--;
      this.#sinceHole = 0;
    }
    if (this.#unread >= this.#window) this.#wasFull = true;
  }
}
