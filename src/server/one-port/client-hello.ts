/** The name in a TLS ClientHello (RFC 8446 §4.1.2, RFC 6066 §3), read without taking part in the handshake. */

/** Longer ones, with post-quantum keys and all, have some 2 KiB. */
export const MAX_CLIENT_HELLO_BYTES = 16 * 1024;

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
const RECORD_HEADER_BYTES = 5;

/**
 * The server's name that these first bytes of a connection ask for, '' when they name none; null: more bytes are needed.
 * @throws RangeError when they are no ClientHello
 */
export function serverNameOf(bytes: Uint8Array): string | null {
  const hello = helloOf(bytes);
  if (!hello) return null;
  const body = new Reader(hello);
  // Version and random.
  body.skip(2 + 32);
  body.take(body.u8());
  body.take(body.u16());
  body.take(body.u8());
  if (body.left === 0) return '';
  const extensions = new Reader(body.take(body.u16()));
  while (extensions.left > 0) {
    const type = extensions.u16();
    const data = extensions.take(extensions.u16());
    if (type === SERVER_NAME) return nameOf(new Reader(data));
  }
  return '';
}

function nameOf(list: Reader): string {
  const names = new Reader(list.take(list.u16()));
  while (names.left > 0) {
    const type = names.u8();
    const name = names.take(names.u16());
    if (type === HOST_NAME) return Buffer.from(name).toString('latin1');
  }
  return '';
}

/** The body of the ClientHello, which may be spread over several records. */
function helloOf(bytes: Uint8Array): Uint8Array | null {
  const parts: Uint8Array[] = [];
  let have = 0;
  let at = 0;
  for (;;) {
    if (bytes.length > at && bytes[at] !== HANDSHAKE_RECORD) throw new RangeError('no handshake record');
    if (bytes.length < at + RECORD_HEADER_BYTES) return null;
    const length = ((bytes[at + 3] ?? 0) << 8) | (bytes[at + 4] ?? 0);
    if (bytes[at + 1] !== 3 || length === 0 || length > 0x4000) throw new RangeError('no record');
    const part = bytes.subarray(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + length);
    parts.push(part);
    have += part.length;
    if (have >= 4) {
      const message = parts.length === 1 ? part : Buffer.concat(parts);
      if (message[0] !== CLIENT_HELLO) throw new RangeError('no ClientHello');
      const size = ((message[1] ?? 0) << 16) | ((message[2] ?? 0) << 8) | (message[3] ?? 0);
      if (size > MAX_CLIENT_HELLO_BYTES) throw new RangeError('a ClientHello that is too long');
      if (have >= 4 + size) return message.subarray(4, 4 + size);
    } else if (part.length > 0 && part[0] !== CLIENT_HELLO && parts.length === 1) throw new RangeError('no ClientHello');
    if (part.length < length) return null;
    at += RECORD_HEADER_BYTES + length;
  }
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(count: number): void {
    this.take(count);
  }

  take(count: number): Uint8Array {
    if (count > this.left) throw new RangeError('a ClientHello that ends too early');
    this.#at += count;
    return this.#bytes.subarray(this.#at - count, this.#at);
  }

  u8(): number {
    return this.take(1)[0] ?? 0;
  }

  u16(): number {
    const high = this.u8();
    return (high << 8) | this.u8();
  }
}
