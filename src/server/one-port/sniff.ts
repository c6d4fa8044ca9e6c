/**
 * Tells by its first bytes what a connection speaks. The decision needs at most MAX_SNIFF_BYTES, and none of the others'
 * beginnings can begin a rendezvous or relay message (rendezvous §2, §4):
 *
 * - a TLS record `16 03 0x` would be the header of a frame of 16,581 bytes or more, but the record's own length (bytes 3
 *   and 4) is at most 0x4000, and no message begins with a byte up to 0x40 followed by a ClientHello's 0x01 in its third;
 * - the words of HTTP and of the PROXY protocol, read as headers, announce frames whose first byte is no field of ours.
 */
export type Speech = 'tls' | 'http' | 'proxy' | 'frames';

const WORDS: readonly (readonly [Buffer, Speech])[] = [
  ...['GET ', 'HEAD ', 'POST ', 'PUT ', 'PATCH ', 'DELETE ', 'OPTIONS ', 'CONNECT ', 'TRACE ', 'PRI * HTTP/2.0'].map(
    (word) => [Buffer.from(word, 'latin1'), 'http'] as const,
  ),
  [Buffer.from('PROXY ', 'latin1'), 'proxy'],
  [Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), 'proxy'],
];

export const MAX_SNIFF_BYTES = 14;

/** What these first bytes begin; null: more are needed. */
export function sniff(bytes: Uint8Array): Speech | null {
  const [first] = bytes;
  if (first === undefined) return null;
  if (first === 0x16) return sniffTls(bytes);
  let undecided = false;
  for (const [word, speech] of WORDS) {
    const length = Math.min(word.length, bytes.length);
    if (word.compare(bytes, 0, length, 0, length) !== 0) continue;
    if (length === word.length) return speech;
    undecided = true;
  }
  return undecided ? null : 'frames';
}

function sniffTls(bytes: Uint8Array): Speech | null {
  const fits = [
    (byte: number) => byte === 0x16,
    (byte: number) => byte === 0x03,
    (byte: number) => byte <= 0x04,
    (byte: number) => byte <= 0x40,
    () => true,
    (byte: number) => byte === 0x01,
  ];
  for (const [at, fit] of fits.entries()) {
    const byte = bytes[at];
    if (byte === undefined) return null;
    if (!fit(byte)) return 'frames';
  }
  return 'tls';
}
