/** The receiving half of one channel: records in order become frames, and a window says how many more may come. */
import type { LinkHandlers } from '../link.ts';
import { PAYLOAD_LIMITS } from '../link.ts';
import { release } from '../memory.ts';
import { Deque } from './deque.ts';
import { CLOSED_WINDOW_BYTES, RECEIVE_WINDOW_BYTES, RECORD_COST } from './multipath-limits.ts';

/** `gap`, `flood` and `too-large` are faults of the sender, each of which ends something. */
export type Accepted = 'new' | 'duplicate' | 'gap' | 'flood' | 'too-large';

export class ReceiveChannel {
  readonly id: number;
  #expected = 0;
  #cost = 0;
  #limit = CLOSED_WINDOW_BYTES;
  /** The limit that the other end knows. */
  #told = CLOSED_WINDOW_BYTES;
  readonly #parts: Uint8Array[] = [];
  #partBytes = 0;
  readonly #ready = new Deque<Uint8Array>();
  #readyCost = 0;
  #maxPayload: number = PAYLOAD_LIMITS.session;
  #onFrame: LinkHandlers['onFrame'] | null = null;
  #paused = false;
  #delivering = false;
  #discard = false;

  constructor(id: number) {
    this.id = id;
  }

  /** Number of the next record. */
  get expected(): number {
    return this.#expected;
  }

  /** Frames that wait for a reader. */
  get waiting(): number {
    return this.#ready.length;
  }

  set maxPayload(bytes: number) {
    this.#maxPayload = bytes;
  }

  setReader(onFrame: LinkHandlers['onFrame']): void {
    this.#onFrame = onFrame;
    this.#deliver();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  /** From here on everything is taken and dropped. */
  discard(): void {
    this.#discard = true;
    this.#ready.clear();
    this.#readyCost = 0;
    this.#parts.length = 0;
    this.#partBytes = 0;
  }

  /** Takes one record. What completes a frame is delivered before this returns, if somebody reads. */
  accept(sequence: number, more: boolean, bytes: Uint8Array): Accepted {
    if (sequence < this.#expected) return 'duplicate';
    if (sequence > this.#expected) return 'gap';
    this.#expected++;
    this.#cost += bytes.length + RECORD_COST;
    if (this.#cost > this.#limit) return 'flood';
    if (this.#discard) return 'new';
    if (this.#partBytes + bytes.length > this.#maxPayload) return 'too-large';
    if (more || this.#parts.length > 0) {
      this.#parts.push(bytes);
      this.#partBytes += bytes.length;
      if (more) return 'new';
    }
    this.#ready.push(this.#parts.length === 0 ? bytes : this.#joined());
    this.#readyCost += (this.#ready.at(this.#ready.length - 1) as Uint8Array).length + RECORD_COST;
    this.#deliver();
    return 'new';
  }

  /** Moves the window on; true when the other end should be told at once. */
  openWindow(): boolean {
    const size = this.#onFrame || this.#discard ? this.#openSize() : CLOSED_WINDOW_BYTES;
    const limit = this.#cost + size - this.#readyCost;
    if (limit > this.#limit) this.#limit = limit;
    return this.#limit - this.#told >= size / 4;
  }

  /** Sum of costs up to which records are taken, for an acknowledgement that leaves now. */
  advertise(): number {
    this.#told = this.#limit;
    return this.#limit;
  }

  /** Whoever may send only small frames so far gets a small window too. */
  #openSize(): number {
    return this.#maxPayload <= CLOSED_WINDOW_BYTES ? CLOSED_WINDOW_BYTES : RECEIVE_WINDOW_BYTES;
  }

  #joined(): Uint8Array {
    const frame = new Uint8Array(this.#partBytes);
    let at = 0;
    for (const part of this.#parts) {
      frame.set(part, at);
      at += part.length;
      release(part);
    }
    this.#parts.length = 0;
    this.#partBytes = 0;
    return frame;
  }

  /** A reader may pause, or cause more frames, while it is being called. */
  #deliver(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      while (this.#onFrame && !this.#paused && !this.#discard) {
        const frame = this.#ready.shift();
        if (!frame) break;
        this.#readyCost -= frame.length + RECORD_COST;
        this.#onFrame(frame);
      }
    } finally {
      this.#delivering = false;
    }
  }
}
