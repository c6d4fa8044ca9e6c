import { ByteQueue } from '../kcp/byte-queue.ts';
import { ChunkQueue } from './chunk-queue.ts';
import { type StreamCode, StreamResetError } from './codes.ts';
import type { MuxStream, StreamHandlers, WriteOptions } from './contract.ts';
import { DATA_HEADER_BYTES, encodeFrame, writeDataHeader } from './frame.ts';
import { INITIAL_STREAM_CREDIT, STREAM_QUEUE_HIGH, STREAM_QUEUE_LOW, STREAM_QUEUE_MAX, TURN_BYTES } from './limits.ts';
import type { StreamTarget } from './target.ts';
import { type GrowthBudget, ReceiveWindow } from './window.ts';

/** Pieces below this size are copied: each of them is a call into the cipher, which costs as much. */
const GATHER_BYTES = 8 * 1024;

const PLAIN_WRITE: WriteOptions = {};

/** One frame, in pieces. */
export interface Turn {
  readonly frame: readonly Uint8Array[];
  /** Of data. */
  readonly bytes: number;
  /** The memory of the pieces is nobody else's. */
  readonly owned: boolean;
}

/** What a stream needs from the mux that it belongs to. */
export interface StreamOwner {
  readonly growth: GrowthBudget;
  now(): number;
  rttMs(): number;
  /** The mux holds so many unsent bytes that each stream must be brief. */
  crowded(): boolean;
  /** Unsent bytes changed. */
  unsent(change: number): void;
  /** The stream has something for the writer. */
  ready(stream: StreamEnd): void;
  control(frame: Uint8Array): void;
  /** The same for what may wait a little. */
  withNext(frame: Uint8Array): void;
  /** Unread bytes went away: read, or given up with the stream. */
  consumed(bytes: number): void;
  /** The stream is over; forget it. */
  over(stream: StreamEnd): void;
}

/** One end of a stream. The `take…` and `on…` methods are for the mux alone; users see a `MuxStream`. */
export class StreamEnd implements MuxStream {
  readonly id: number;
  readonly target: StreamTarget;
  readonly incoming: boolean;
  readonly #owner: StreamOwner;
  readonly #window: ReceiveWindow;
  readonly #in = new ChunkQueue();
  #out = new ByteQueue();
  /** So many bytes of it end with some whose memory is not ours. */
  #shared = 0;
  #handlers: StreamHandlers | null = null;
  #credit = INITIAL_STREAM_CREDIT;
  #openedAddress: string | null = null;
  #accepted = false;
  #finishing = false;
  #finished = false;
  #remoteFinished = false;
  #wantDrain = false;
  #closed: { error: StreamResetError | null } | null = null;
  #told = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #readAt: number;

  constructor(owner: StreamOwner, id: number, target: StreamTarget, incoming: boolean) {
    this.id = id;
    this.target = target;
    this.incoming = incoming;
    this.#owner = owner;
    this.#readAt = owner.now();
    this.#window = new ReceiveWindow(owner.growth, this.#readAt);
  }

  get openedAddress(): string | null {
    return this.#openedAddress;
  }
  get ended(): boolean {
    return this.#remoteFinished && this.#in.length === 0;
  }
  get closed(): { readonly error: StreamResetError | null } | null {
    return this.#closed;
  }
  get unreadBytes(): number {
    return this.#in.length;
  }
  get unsentBytes(): number {
    return this.#out.length;
  }
  get bytesIn(): number {
    return this.#bytesIn;
  }
  get bytesOut(): number {
    return this.#bytesOut;
  }
  /** When somebody last read from it; tells the stalled from the slow. */
  get readAtMs(): number {
    return this.#readAt;
  }

  setHandlers(handlers: StreamHandlers): void {
    this.#handlers = handlers;
    // Who takes the stream over must learn of its end, too.
    this.#told = false;
    if (this.#openedAddress !== null) handlers.onOpened?.(this.#openedAddress);
    if (this.#in.length > 0 || this.#remoteFinished) handlers.onReadable?.();
    this.#tellClosed();
  }

  read(): Uint8Array | null {
    const chunk = this.#in.shift();
    if (!chunk) return null;
    const now = this.#owner.now();
    this.#readAt = now;
    const credit = this.#window.read(chunk.length, now, this.#owner.rttMs());
    // Who has finished needs no more credit.
    if (credit > 0 && !this.#remoteFinished)
      this.#owner.control(encodeFrame({ type: 'credit', id: this.id, bytes: credit }));
    this.#owner.consumed(chunk.length);
    this.#maybeOver();
    return chunk;
  }

  write(bytes: Uint8Array, { owned = false }: WriteOptions = PLAIN_WRITE): boolean {
    if (this.#closed || this.#finishing) return false;
    if (bytes.length > 0) {
      if (this.#out.length > STREAM_QUEUE_MAX) throw new RangeError('written on after write() answered false');
      this.#out.push(bytes);
      if (!owned) this.#shared = this.#out.length;
      this.#bytesOut += bytes.length;
      this.#owner.unsent(bytes.length);
      if (this.#credit > 0) this.#owner.ready(this);
    }
    // Asked after the writer had its turn: a link with room takes it all.
    const full = this.#out.length >= (this.#owner.crowded() ? TURN_BYTES : STREAM_QUEUE_HIGH);
    if (full) this.#wantDrain = true;
    return !full && !this.#closed;
  }

  end(): void {
    if (this.#closed || this.#finishing) return;
    this.#finishing = true;
    if (this.#out.length === 0 || this.#credit > 0) this.#owner.ready(this);
  }

  accept(address = ''): void {
    if (!this.incoming || this.#accepted || this.#closed) return;
    this.#accepted = true;
    const frame = encodeFrame({ type: 'opened', id: this.id, address });
    // Who has sent something already does not wait for it.
    if (this.#bytesIn > 0) this.#owner.withNext(frame);
    else this.#owner.control(frame);
  }

  reset(code: StreamCode, reason = ''): void {
    if (this.#closed) return;
    this.#owner.control(encodeFrame({ type: 'reset', id: this.id, code, reason }));
    this.#finish(new StreamResetError(code, reason, 'local'));
  }

  /** There is something to send, and the credit for it. */
  get sendable(): boolean {
    if (this.#closed) return false;
    return this.#out.length > 0 ? this.#credit > 0 : this.#finishing && !this.#finished;
  }

  /** The frame of one turn in pieces, with at most `max` bytes of data; null when there is none. */
  takeTurn(max: number): Turn | null {
    if (!this.sendable) return null;
    if (this.#out.length === 0) {
      this.#finished = true;
      const frame = encodeFrame({ type: 'close', id: this.id });
      this.#maybeOver();
      return { frame: [frame], bytes: 0, owned: true };
    }
    const bytes = Math.min(max, this.#out.length, this.#credit);
    const frame = this.#dataFrame(bytes);
    const owned = this.#shared === 0;
    this.#shared = Math.max(0, this.#shared - bytes);
    this.#credit -= bytes;
    this.#owner.unsent(-bytes);
    return { frame, bytes, owned };
  }

  /** What was written in large pieces stays where it is; small ones are worth copying together. */
  #dataFrame(bytes: number): Uint8Array[] {
    const header = new Uint8Array(DATA_HEADER_BYTES);
    writeDataHeader(header, this.id);
    const frame: Uint8Array[] = [header];
    for (let left = bytes; left > 0; ) {
      let piece: Uint8Array = this.#out.view(left);
      if (piece.length < Math.min(left, GATHER_BYTES)) {
        piece = new Uint8Array(Math.min(left, TURN_BYTES));
        this.#out.take(piece, 0, piece.length);
      } else this.#out.skip(piece.length);
      frame.push(piece);
      left -= piece.length;
    }
    return frame;
  }

  /** After a turn: lets the user write on. */
  afterTurn(): void {
    if (!this.#wantDrain || this.#closed || this.#out.length > (this.#owner.crowded() ? 0 : STREAM_QUEUE_LOW)) return;
    this.#wantDrain = false;
    this.#handlers?.onDrain?.();
  }

  /** False: more than the other end had credit for. */
  onData(bytes: Uint8Array): boolean {
    if (bytes.length === 0) return true;
    if (!this.#window.received(bytes.length)) return false;
    if (this.#in.length === 0) this.#readAt = this.#owner.now();
    this.#bytesIn += bytes.length;
    this.#in.push(bytes);
    this.#handlers?.onReadable?.();
    return true;
  }

  /** The other end may send nothing after this. */
  get remoteFinished(): boolean {
    return this.#remoteFinished;
  }

  onFinished(): void {
    this.#remoteFinished = true;
    this.#handlers?.onReadable?.();
    this.#maybeOver();
  }

  onOpened(address: string): void {
    if (this.incoming || this.#openedAddress !== null) return;
    this.#openedAddress = address;
    this.#handlers?.onOpened?.(address);
  }

  /** False: more credit than there can be. */
  onCredit(bytes: number): boolean {
    this.#credit += bytes;
    if (this.#credit > 0xffff_ffff) return false;
    if (this.sendable) this.#owner.ready(this);
    return true;
  }

  /** The other side, or the link, ended it. */
  onReset(error: StreamResetError): void {
    this.#finish(error);
  }

  #maybeOver(): void {
    if (this.#finished && this.ended && !this.#closed) this.#finish(null);
  }

  #finish(error: StreamResetError | null): void {
    if (this.#closed) return;
    this.#closed = { error };
    this.#owner.unsent(-this.#out.length);
    this.#out = new ByteQueue();
    this.#in.clear();
    this.#owner.consumed(this.#window.release());
    this.#owner.over(this);
    this.#tellClosed();
  }

  #tellClosed(): void {
    if (!this.#closed || this.#told || !this.#handlers) return;
    this.#told = true;
    this.#handlers.onClose(this.#closed.error);
  }
}
