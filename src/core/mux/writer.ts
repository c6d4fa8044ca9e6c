import type { Clock } from '../clock.ts';
import { type Link, sendParts } from '../link.ts';
import { DATA_HEADER_BYTES, encodeGroup, GROUP_COST_BYTES, lengthOf } from './frame.ts';
import {
  GROUP_BYTES,
  GROUPED_FRAME_BYTES,
  LINK_CREDIT,
  LONE_TURN_BYTES,
  MAX_CONTROL_FRAMES,
  OPENED_WAIT_MS,
  TURN_BYTES,
  WRITE_AHEAD_BYTES,
  WRITE_POLL_MS,
} from './limits.ts';
import type { StreamEnd, Turn } from './stream.ts';

/** Runs `run` when this turn of the event loop is over. */
export type AfterTurn = (run: () => void) => void;

/** Slowly down, since a link that looks slow may only have rested; at a look a millisecond half of it in 23 ms. */
const SHRINK = 0.97;

/**
 * Feeds the link: frames about streams first, then one turn of each stream that has data and credit, in a circle. Only a
 * little waits in the link itself, so that no stream, and nothing else on the link, queues behind another. Small frames of
 * one turn of the event loop leave as one.
 */
export class FairWriter {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #onFlood: () => void;
  readonly #afterTurn: AfterTurn | null;
  readonly #control: Uint8Array[] = [];
  #controlHead = 0;
  /** In the order of their turns. */
  readonly #ring = new Set<StreamEnd>();
  #ahead: number = WRITE_AHEAD_BYTES.first;
  #credit = LINK_CREDIT;
  #full = false;
  #pumping = false;
  #stopped = false;
  #cancelPoll: (() => void) | null = null;
  #cancelWait: (() => void) | null = null;
  /** It is pumped after this turn. */
  #soon = false;
  /** The other end reads groups. */
  grouping = false;

  /** Without `afterTurn` each frame leaves at once. */
  constructor(link: Link, clock: Clock, onFlood: () => void, afterTurn: AfterTurn | null) {
    this.#link = link;
    this.#clock = clock;
    this.#onFlood = onFlood;
    this.#afterTurn = afterTurn;
  }

  /** What may still be sent before the other end gives more credit for the link. */
  get credit(): number {
    return this.#credit;
  }

  /** False: more credit than there can be. */
  addCredit(bytes: number): boolean {
    this.#credit += bytes;
    if (this.#credit > LINK_CREDIT) return false;
    this.pump();
    return true;
  }

  control(frame: Uint8Array): void {
    if (this.#queue(frame)) this.#pumpSoon();
  }

  /** As `control`; it waits for one turn more, in which what belongs to it may come. */
  opening(frame: Uint8Array): void {
    if (!this.#queue(frame)) return;
    if (this.#afterTurn) this.#afterTurn(() => this.#pumpSoon());
    else this.pump();
  }

  /** As `control`; it leaves with whatever is next, or after OPENED_WAIT_MS. */
  withNext(frame: Uint8Array): void {
    if (!this.#queue(frame)) return;
    if (!this.#afterTurn) return this.pump();
    this.#cancelWait ??= this.#clock.setTimer(OPENED_WAIT_MS, () => {
      this.#cancelWait = null;
      this.pump();
    });
  }

  ready(stream: StreamEnd): void {
    if (this.#stopped) return;
    this.#ring.add(stream);
    if (stream.unsentBytes < LONE_TURN_BYTES) this.#pumpSoon();
    else this.pump();
  }

  forget(stream: StreamEnd): void {
    this.#ring.delete(stream);
  }

  drained(): void {
    this.#full = false;
    this.pump();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelPoll?.();
    this.#cancelWait?.();
    this.#cancelPoll = this.#cancelWait = null;
    this.#control.length = 0;
    this.#ring.clear();
  }

  pump(): void {
    // A link may deliver, and so call back, before `send` returns.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#stopped && this.#hasRoom()) {
        const next = this.#grouped() ?? this.#next();
        if (!next) break;
        this.#full = !sendParts(this.#link, next.frame, next.owned);
      }
    } finally {
      this.#pumping = false;
    }
  }

  #queue(frame: Uint8Array): boolean {
    if (this.#stopped) return false;
    this.#control.push(frame);
    if (this.#control.length - this.#controlHead <= MAX_CONTROL_FRAMES) return true;
    this.#onFlood();
    return false;
  }

  #pumpSoon(): void {
    if (!this.#afterTurn) return this.pump();
    if (this.#soon) return;
    this.#soon = true;
    this.#afterTurn(() => {
      this.#soon = false;
      this.pump();
    });
  }

  #next(maxBytes = this.#turnBytes()): Turn | null {
    const control = this.#nextControl();
    return control ? { frame: [control], bytes: 0, owned: false } : this.#nextData(maxBytes);
  }

  /** The small frames that are next, as one; null when there are not two of them. */
  #grouped(): Turn | null {
    if (!this.grouping || !this.#smallNext() || this.#control.length - this.#controlHead + this.#ring.size < 2) return null;
    const frames: (readonly Uint8Array[])[] = [];
    let left = GROUP_BYTES - 1;
    while (left >= GROUPED_FRAME_BYTES + GROUP_COST_BYTES && this.#smallNext()) {
      const next = this.#next(GROUPED_FRAME_BYTES - DATA_HEADER_BYTES);
      if (!next) break;
      frames.push(next.frame);
      left -= GROUP_COST_BYTES + lengthOf(next.frame);
    }
    const [only, ...more] = frames;
    return only ? { frame: more.length === 0 ? only : [encodeGroup(frames)], bytes: 0, owned: false } : null;
  }

  /** What `#next` gives is small enough for a group. */
  #smallNext(): boolean {
    const control = this.#control[this.#controlHead];
    if (control) return control.length <= GROUPED_FRAME_BYTES;
    const stream = this.#ring.values().next().value;
    return stream !== undefined && stream.unsentBytes + DATA_HEADER_BYTES <= GROUPED_FRAME_BYTES;
  }

  #hasRoom(): boolean {
    if (this.#full || this.#link.closed) return false;
    if (this.#link.bufferedBytes < this.#ahead) return true;
    // The link takes more and so will not tell when it has less.
    this.#cancelPoll ??= this.#clock.setTimer(WRITE_POLL_MS, () => {
      this.#cancelPoll = null;
      this.#adapt();
      this.pump();
    });
    return false;
  }

  /** The link was fed up to the mark; what is left now tells how fast it is. */
  #adapt(): void {
    const left = this.#link.bufferedBytes;
    const { min, max } = WRITE_AHEAD_BYTES;
    if (left < this.#ahead / 8) this.#ahead = Math.min(max, this.#ahead * 2);
    else if (left > this.#ahead / 2) this.#ahead = Math.max(min, this.#ahead * SHRINK);
  }

  /** A round of all streams that wait takes no more than half of what the link has shown to empty at a look. */
  #turnBytes(): number {
    if (this.#ahead <= WRITE_AHEAD_BYTES.first) return TURN_BYTES;
    return Math.max(TURN_BYTES, Math.min(LONE_TURN_BYTES, Math.floor(this.#ahead / 2 / (this.#ring.size + 1))));
  }

  #nextControl(): Uint8Array | null {
    const frame = this.#control[this.#controlHead];
    if (!frame) return null;
    this.#controlHead++;
    if (this.#controlHead === this.#control.length || this.#controlHead >= 1_024) {
      this.#control.splice(0, this.#controlHead);
      this.#controlHead = 0;
    }
    return frame;
  }

  #nextData(maxBytes: number): Turn | null {
    while (this.#credit > 0) {
      const stream = this.#ring.values().next().value;
      if (!stream) return null;
      this.#ring.delete(stream);
      const turn = stream.takeTurn(Math.min(maxBytes, this.#credit));
      if (!turn) continue;
      this.#credit -= turn.bytes;
      if (stream.sendable) this.#ring.add(stream);
      stream.afterTurn();
      return turn;
    }
    return null;
  }
}
