/** Datagrams on a stream: each behind its length, u16 big-endian. */

/** What UDP over IPv6 can carry; over IPv4 it is 20 bytes less. */
export const MAX_DATAGRAM_BYTES = 65_527;
const HEADER_BYTES = 2;

/** The bytes of one datagram on the stream. Throws RangeError beyond MAX_DATAGRAM_BYTES. */
export function encodeDatagram(payload: Uint8Array): Uint8Array {
  if (payload.length > MAX_DATAGRAM_BYTES) throw new RangeError(`a datagram of ${payload.length} bytes`);
  const out = new Uint8Array(HEADER_BYTES + payload.length);
  out[0] = payload.length >> 8;
  out[1] = payload.length;
  out.set(payload, HEADER_BYTES);
  return out;
}

/** Cuts a stream into datagrams. Holds less than one datagram. */
export class DatagramReader {
  /** The first byte of a length whose second is still to come. */
  #high: number | null = null;
  /** A datagram that is not complete, and how much of it is there. */
  #partial: Uint8Array | null = null;
  #have = 0;

  /** The datagrams that `chunk` completes; they may point into it. */
  push(chunk: Uint8Array): Uint8Array[] {
    const datagrams: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#partial) {
        at += this.#fill(chunk.subarray(at), datagrams);
        continue;
      }
      const byte = chunk[at++] as number;
      if (this.#high === null) {
        this.#high = byte;
        continue;
      }
      const length = (this.#high << 8) | byte;
      this.#high = null;
      if (chunk.length - at >= length) {
        datagrams.push(chunk.subarray(at, at + length));
        at += length;
      } else {
        this.#partial = new Uint8Array(length);
        this.#have = 0;
      }
    }
    return datagrams;
  }

  #fill(bytes: Uint8Array, datagrams: Uint8Array[]): number {
    const partial = this.#partial as Uint8Array;
    const part = bytes.subarray(0, partial.length - this.#have);
    partial.set(part, this.#have);
    this.#have += part.length;
    if (this.#have === partial.length) {
      datagrams.push(partial);
      this.#partial = null;
    }
    return part.length;
  }
}
