/**
 * The sending half of one channel: frames cut into numbered records, which are kept until they are acknowledged, so that
 * another path can begin again where the acknowledgements end.
 */
import { joinParts } from '../link.ts';
import { release } from '../memory.ts';
import { Deque } from './deque.ts';
import { FRAGMENT_SLACK_BYTES, RECORD_COST } from './multipath-limits.ts';
import { DATA_HEADER_BYTES, dataHeader } from './multipath-record.ts';
import type { FlowMark } from './path-flow.ts';

/** A record as it leaves, and by which way it left last. */
export interface SentRecord {
  /** Its header and what it has of the frame that was to be sent, which is not copied however often it leaves. */
  readonly parts: readonly Uint8Array[];
  /** Of all parts. */
  readonly length: number;
  /** The memory of the parts is released with the record. */
  readonly owned: boolean;
  /** Path and its state when the record left by it; null until it left, or when that path is given up. */
  pathId: number;
  mark: FlowMark | null;
}

interface QueuedFrame {
  readonly parts: readonly Uint8Array[];
  /** Of all parts. */
  readonly length: number;
  readonly owned: boolean;
}

/** Parts that are together no larger than this are copied into one. */
const JOIN_BELOW = 1024;

export class SendChannel {
  readonly id: number;
  readonly #queue = new Deque<QueuedFrame>();
  /** Up to here the first queued frame is in records already: bytes of it, pieces that are gone, bytes of the next piece. */
  #done = 0;
  #piece = 0;
  #offset = 0;
  #queuedBytes = 0;
  readonly #kept = new Deque<SentRecord>();
  #keptBytes = 0;
  /** Number of the first kept record, of the next to leave, and of the next to be cut. */
  #base = 0;
  #cursor = 0;
  #next = 0;
  #cost = 0;
  #limit: number;

  constructor(id: number, initialLimit: number) {
    this.id = id;
    this.#limit = initialLimit;
  }

  /** Bytes of frames that were never sent. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Bytes that are kept because nobody has acknowledged them. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  get empty(): boolean {
    return this.#queue.length === 0 && this.#kept.length === 0;
  }

  /** `owned`: their memory is released as soon as they have come to the other end. */
  push(parts: readonly Uint8Array[], owned = false): void {
    let length = 0;
    for (const part of parts) length += part.length;
    this.#queue.push({ parts, length, owned });
    this.#queuedBytes += length;
  }

  /** The record that leaves next: one to be sent again, or a new one of at most `maxBytes`. Null: nothing, or no window. */
  take(maxBytes: number): SentRecord | null {
    if (this.#cursor < this.#next) {
      const again = this.#kept.at(this.#cursor - this.#base) as SentRecord;
      this.#cursor++;
      return again;
    }
    const frame = this.#queue.at(0);
    if (!frame) return null;
    const room = this.#limit - this.#cost - RECORD_COST;
    const left = frame.length - this.#done;
    const length = Math.min(left, left <= maxBytes + FRAGMENT_SLACK_BYTES ? left : maxBytes, room);
    // A sliver of a window is not worth a record, unless it is all there is to say.
    if (room < 0 || (length < left && length < maxBytes)) return null;
    const more = length < left;
    const sent: SentRecord = {
      parts: this.#cut(frame, dataHeader(this.id, this.#next, more), length),
      length: DATA_HEADER_BYTES + length,
      owned: frame.owned,
      pathId: -1,
      mark: null,
    };
    this.#cost += length + RECORD_COST;
    this.#queuedBytes -= length;
    this.#done += length;
    if (!more) {
      this.#queue.shift();
      this.#done = this.#piece = this.#offset = 0;
    }
    this.#kept.push(sent);
    this.#keptBytes += sent.length;
    this.#next++;
    this.#cursor = this.#next;
    return sent;
  }

  /** True when `take` would give a record. */
  ready(maxBytes: number): boolean {
    if (this.#cursor < this.#next) return true;
    const frame = this.#queue.at(0);
    if (!frame) return false;
    const room = this.#limit - this.#cost - RECORD_COST;
    return room >= 0 && room >= Math.min(frame.length - this.#done, maxBytes);
  }

  /** The next `length` bytes of the frame behind `header`. */
  #cut(frame: QueuedFrame, header: Uint8Array, length: number): Uint8Array[] {
    const parts = [header];
    for (let left = length; left > 0; ) {
      const piece = frame.parts[this.#piece] as Uint8Array;
      const end = Math.min(piece.length, this.#offset + left);
      const part = this.#offset === 0 && end === piece.length ? piece : piece.subarray(this.#offset, end);
      left -= part.length;
      if (end < piece.length) this.#offset = end;
      else {
        this.#piece++;
        this.#offset = 0;
      }
      // Small pieces, and the header of a mux frame is one, are copied: each part is a call into the cipher.
      const last = parts[parts.length - 1] as Uint8Array;
      if (part.length > 0 && last.length + part.length <= JOIN_BELOW) parts[parts.length - 1] = joinParts([last, part]);
      else if (part.length > 0) parts.push(part);
    }
    return parts;
  }

  /**
   * Everything below `sequence` has come; up to `limit` may be sent. Each record that is let go is handed to `onGone`.
   * False: nothing like that was ever sent.
   */
  acknowledge(sequence: number, limit: number, onGone: (sent: SentRecord) => void): boolean {
    if (sequence > this.#next) return false;
    while (this.#base < sequence) {
      const sent = this.#kept.shift() as SentRecord;
      this.#keptBytes -= sent.length;
      this.#base++;
      if (sent.owned) for (const part of sent.parts) release(part);
      onGone(sent);
    }
    if (this.#cursor < this.#base) this.#cursor = this.#base;
    // An older ack that came by a slower path takes nothing back.
    if (limit > this.#limit) this.#limit = limit;
    return true;
  }

  /** Begins again behind what was acknowledged. Bytes that will leave a second time. */
  rewind(): number {
    this.#cursor = this.#base;
    return this.#keptBytes - (this.#kept.length * DATA_HEADER_BYTES);
  }

  clear(): void {
    this.#queue.clear();
    this.#kept.clear();
    this.#queuedBytes = 0;
    this.#keptBytes = 0;
    this.#done = this.#piece = this.#offset = 0;
    this.#base = this.#next;
    this.#cursor = this.#next;
  }
}
