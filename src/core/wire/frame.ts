/**
 * Length-prefixed frames (rendezvous §2): a header of 1 to 4 bytes, little-endian, whose two low bits say how many bytes
 * follow the first one and whose other bits are the payload length.
 */
import { WireError } from '../errors.ts';

/** The format's own limit: 30 bits of length. */
export const MAX_FRAME_PAYLOAD = 0x3fffffff;

/** 32 MiB: room for a 4K key frame or a clipboard picture, and a bound on what one connection can make us hold. */
const DEFAULT_MAX_PAYLOAD = 32 * 1024 * 1024;

/**
 * The header of a frame whose payload has `length` bytes, in its shortest form.
 * @throws WireError FRAME_TOO_LARGE above 2^30 - 1 bytes.
 */
export function frameHeader(length: number): Uint8Array {
  if (!(length >= 0 && length <= MAX_FRAME_PAYLOAD))
    throw new WireError('FRAME_TOO_LARGE', `a frame cannot hold ${length} bytes`);
  const size = headerSize(length);
  const header = new Uint8Array(size);
  // Not a shift: above 2^29 it would run into the sign bit.
  let value = length * 4 + (size - 1);
  for (let i = 0; i < size; i++) {
    header[i] = value & 0xff;
    value = Math.floor(value / 256);
  }
  return header;
}

function headerSize(length: number): number {
  if (length <= 0x3f) return 1;
  if (length <= 0x3fff) return 2;
  return length <= 0x3fffff ? 3 : 4;
}

/** One whole frame: header and payload in one buffer. @throws WireError FRAME_TOO_LARGE */
export function encodeFrame(payload: Uint8Array): Uint8Array {
  const header = frameHeader(payload.length);
  const frame = new Uint8Array(header.length + payload.length);
  frame.set(header);
  frame.set(payload, header.length);
  return frame;
}

export interface FrameDecoderOptions {
  /** Largest payload accepted, in bytes. Default: DEFAULT_MAX_PAYLOAD. */
  readonly maxPayload?: number;
}

/** An empty decoder gives back a buffer larger than this; below it, keeping the buffer saves an allocation per frame. */
const KEEP_BUFFER = 257 * 1024;

const EMPTY = new Uint8Array(0);

/**
 * Takes the bytes of a stream as they come and gives whole payloads. Nothing is allocated on the word of a header: the
 * buffer doubles as bytes really arrive, so it never exceeds twice what was received, and many small chunks cost no more
 * than one large one. Payloads that lie whole in the chunk that was given are not moved at all.
 */
export class FrameDecoder {
  #maxPayload: number;
  /** What is left of the chunk that was given last; not copied before `keep`. */
  #chunk: Uint8Array = EMPTY;
  /** Bytes that came before it. */
  #buffer = EMPTY;
  #start = 0;
  #end = 0;
  #broken: WireError | undefined;

  constructor(options: FrameDecoderOptions = {}) {
    this.#maxPayload = Math.min(options.maxPayload ?? DEFAULT_MAX_PAYLOAD, MAX_FRAME_PAYLOAD);
  }

  /** Changes the limit for every frame that has not been returned yet. */
  set maxPayload(bytes: number) {
    this.#maxPayload = Math.min(bytes, MAX_FRAME_PAYLOAD);
  }

  /** Bytes that are held and not part of a returned payload, headers included. */
  get buffered(): number {
    return this.#end - this.#start + this.#chunk.length;
  }

  /** What is held of a frame that is not complete yet, header included; a view, valid until the next call. */
  get incomplete(): Uint8Array {
    this.keep();
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /**
   * Takes the next bytes of the stream and returns the payloads they complete, in order. Payloads are copies, and `chunk`
   * may be reused after the call. An over-long header is accepted, as everywhere else (rendezvous §2).
   * @throws WireError FRAME_TOO_LARGE when a header announces more than `maxPayload`; the decoder is unusable from then on.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    this.feed(chunk);
    const frames: Uint8Array[] = [];
    for (let frame = this.next(); frame; frame = this.next()) frames.push(new Uint8Array(frame));
    return frames;
  }

  /**
   * As push(), but stops behind the first payload and leaves the rest for takeRest() or the next call. For streams that
   * turn raw right behind a frame, as at a relay (rendezvous §7). An empty chunk asks for the next buffered payload.
   */
  pushOne(chunk: Uint8Array): Uint8Array | null {
    this.feed(chunk);
    const frame = this.next();
    const payload = frame && new Uint8Array(frame);
    this.keep();
    return payload;
  }

  /** Gives the decoder the next bytes of the stream, by reference: until `keep`, or `next` has answered null. */
  feed(chunk: Uint8Array): void {
    if (this.#broken) throw this.#broken;
    this.keep();
    this.#chunk = chunk;
  }

  /** Copies what is left of the chunk that was given, which may be reused from then on. */
  keep(): void {
    if (this.#chunk.length > 0) this.#store(this.#chunk.length);
  }

  /**
   * The next payload: a view, which is valid until the decoder is touched again or the chunk is reused. Null: more bytes are
   * needed, and the chunk has been copied. @throws WireError FRAME_TOO_LARGE, as push().
   */
  next(): Uint8Array | null {
    if (this.#broken) throw this.#broken;
    const held = this.#end - this.#start;
    if (held === 0) {
      const header = this.#header(this.#chunk, 0, this.#chunk.length);
      if (header && this.#chunk.length >= header.size + header.length) {
        const payload = this.#chunk.subarray(header.size, header.size + header.length);
        this.#chunk = this.#chunk.subarray(header.size + header.length);
        return payload;
      }
      this.keep();
      return null;
    }
    // Of the chunk only what belongs to the frame that has begun is moved, so that the next one need not be.
    let header = this.#header(this.#buffer, this.#start, this.#end);
    while (!header && this.#chunk.length > 0) {
      this.#store(1);
      header = this.#header(this.#buffer, this.#start, this.#end);
    }
    if (!header) return null;
    const whole = header.size + header.length;
    const missing = whole - (this.#end - this.#start);
    if (missing > 0) this.#store(Math.min(missing, this.#chunk.length), whole);
    if (this.#end - this.#start < whole) return null;
    const from = this.#start + header.size;
    const payload = this.#buffer.subarray(from, from + header.length);
    this.#start = from + header.length;
    if (this.#start === this.#end) {
      this.#start = this.#end = 0;
      if (this.#buffer.length > KEEP_BUFFER) this.#buffer = EMPTY;
    }
    return payload;
  }

  /** All bytes that were pushed and are not part of a returned payload, headers included. Empties the decoder. */
  takeRest(): Uint8Array {
    this.keep();
    const rest = this.#buffer.slice(this.#start, this.#end);
    this.#buffer = EMPTY;
    this.#start = this.#end = 0;
    return rest;
  }

  /** Moves the first bytes of the chunk behind those that are held. `whole`: the size of the frame that they belong to. */
  #store(bytes: number, whole = Number.POSITIVE_INFINITY): void {
    const held = this.#end - this.#start;
    if (this.#end + bytes > this.#buffer.length) {
      // Moving is worth it only when at least as much was consumed as is moved; that keeps the cost per byte constant.
      if (held + bytes <= this.#buffer.length && this.#start >= held)
        this.#buffer.copyWithin(0, this.#start, this.#end);
      else {
        const larger = new Uint8Array(Math.max(held + bytes, Math.min(held * 2, whole)));
        larger.set(this.#buffer.subarray(this.#start, this.#end));
        this.#buffer = larger;
      }
      this.#start = 0;
      this.#end = held;
    }
    this.#buffer.set(bytes === this.#chunk.length ? this.#chunk : this.#chunk.subarray(0, bytes), this.#end);
    this.#end += bytes;
    this.#chunk = bytes === this.#chunk.length ? EMPTY : this.#chunk.subarray(bytes);
  }

  /** Size of the header that begins at `start`, and of the payload behind it; null: it is not there yet. */
  #header(bytes: Uint8Array, start: number, end: number): { size: number; length: number } | null {
    if (end === start) return null;
    const size = ((bytes[start] ?? 0) & 3) + 1;
    if (end - start < size) return null;
    let header = 0;
    for (let i = size - 1; i >= 0; i--) header = header * 256 + (bytes[start + i] ?? 0);
    const length = Math.floor(header / 4);
    if (length > this.#maxPayload) {
      this.#broken = new WireError(
        'FRAME_TOO_LARGE',
        `a frame of ${length} bytes was announced, the limit is ${this.#maxPayload}`,
      );
      throw this.#broken;
    }
    return { size, length };
  }
}
