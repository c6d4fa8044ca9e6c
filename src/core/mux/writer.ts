import type { Clock } from '../clock.ts';
import { type Link, sendParts } from '../link.ts';
import { LINK_CREDIT, LONE_TURN_BYTES, MAX_CONTROL_FRAMES, TURN_BYTES, WRITE_AHEAD_BYTES, WRITE_POLL_MS } from './limits.ts';
import type { StreamEnd, Turn } from './stream.ts';

/** Slowly down, since a link that looks slow may only have rested; at a look a millisecond half of it in 23 ms. */
const SHRINK = 0.97;

/**
 * Feeds the link: frames about streams first, then one turn of each stream that has data and credit, in a circle. Only a
 * little waits in the link itself, so that no stream, and nothing else on the link, queues behind another.
 */
export class FairWriter {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #onFlood: () => void;
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

  constructor(link: Link, clock: Clock, onFlood: () => void) {
    this.#link = link;
    this.#clock = clock;
    this.#onFlood = onFlood;
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
    if (this.#stopped) return;
    this.#control.push(frame);
    if (this.#control.length - this.#controlHead > MAX_CONTROL_FRAMES) return this.#onFlood();
    this.pump();
  }

  ready(stream: StreamEnd): void {
    if (this.#stopped) return;
    this.#ring.add(stream);
    this.pump();
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
    this.#cancelPoll = null;
    this.#control.length = 0;
    this.#ring.clear();
  }

  pump(): void {
    // A link may deliver, and so call back, before `send` returns.
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      while (!this.#stopped && this.#hasRoom()) {
        const control = this.#nextControl();
        const turn = control ? null : this.#nextData();
        if (control) this.#full = !this.#link.send(control);
        else if (turn) this.#full = !sendParts(this.#link, turn.frame, turn.owned);
        else break;
      }
    } finally {
      this.#pumping = false;
    }
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

  #nextData(): Turn | null {
    while (this.#credit > 0) {
      const stream = this.#ring.values().next().value;
      if (!stream) return null;
      this.#ring.delete(stream);
      const turn = stream.takeTurn(Math.min(this.#turnBytes(), this.#credit));
      if (!turn) continue;
      this.#credit -= turn.bytes;
      if (stream.sendable) this.#ring.add(stream);
      stream.afterTurn();
      return turn;
    }
    return null;
  }
}
