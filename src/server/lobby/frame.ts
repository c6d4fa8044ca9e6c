/** Framing of the lobby: a big-endian u32 length, then that many bytes of UTF-8 JSON, one object (docs/protocol-server.md). */
import { WireError } from '../../core/errors.ts';

const HEADER_BYTES = 4;

/** One message as it goes out. */
export function encodeLobby(message: Readonly<Record<string, unknown>>): Buffer {
  return encodeLobbyText(JSON.stringify(message));
}

export function encodeLobbyText(json: string): Buffer {
  const body = Buffer.from(json, 'utf8');
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, HEADER_BYTES);
  return frame;
}

/** Cuts a stream into messages; keeps at most one unfinished one. */
export class LobbyDecoder {
  readonly #maxBytes: number;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;

  /** @param maxBytes of one message, without its header */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
  }

  /** The next whole message as text, or null. @throws WireError when the length is too large or the bytes are no UTF-8 */
  next(): string | null {
    if (this.#bytes < HEADER_BYTES) return null;
    const length = this.#peek(HEADER_BYTES).readUInt32BE(0);
    if (length > this.#maxBytes) throw new WireError('LOBBY_TOO_LONG', `a message of ${length} bytes`);
    if (this.#bytes < HEADER_BYTES + length) return null;
    const frame = this.#peek(HEADER_BYTES + length);
    this.#drop(frame.length);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(frame.subarray(HEADER_BYTES));
    } catch (cause) {
      throw new WireError('LOBBY_NOT_UTF8', 'a message that is no UTF-8', { cause });
    }
  }

  /** The first `count` bytes in one piece; joins chunks only when it must. */
  #peek(count: number): Buffer {
    const first = this.#chunks[0];
    if (first && first.length >= count) return first.subarray(0, count);
    const all = Buffer.concat(this.#chunks);
    this.#chunks.splice(0, this.#chunks.length, all);
    return all.subarray(0, count);
  }

  #drop(count: number): void {
    this.#bytes -= count;
    const first = this.#chunks.shift();
    if (first && first.length > count) this.#chunks.unshift(first.subarray(count));
  }
}
