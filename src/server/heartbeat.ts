/**
 * RegisterPeer as every client writes it (rendezvous §5.7), read without the general decoder: of all that a server
 * receives, nearly everything is this.
 */
export interface Heartbeat {
  readonly id: string;
  readonly serial: number;
}

/** RegisterPeer in RendezvousMessage, id and serial in RegisterPeer: field number and wire type. */
const REGISTER_PEER = 0x32;
const ID = 0x0a;
const SERIAL = 0x10;

/** ASCII between two offsets; of what the runtime has for this, the quickest. */
const textOf = (Buffer.prototype as unknown as { latin1Slice(this: Uint8Array, start: number, end: number): string }).latin1Slice;

/**
 * The heartbeat in a datagram, or null for everything else, heartbeats in another form included: what this reads, the
 * general decoder reads in the same way.
 */
export function readHeartbeat(bytes: Uint8Array): Heartbeat | null {
  const { length } = bytes;
  // Lengths below 128 take one byte each; an id without bytes means nothing.
  if (length < 5 || length > 129 || bytes[0] !== REGISTER_PEER || bytes[1] !== length - 2 || bytes[2] !== ID) return null;
  const end = 4 + (bytes[3] ?? 0);
  if (end === 4 || end > length) return null;
  for (let i = 4; i < end; i++) if ((bytes[i] ?? 0x80) >= 0x80) return null;
  const id = textOf.call(bytes, 4, end);
  if (end === length) return { id, serial: 0 };
  if (bytes[end] !== SERIAL) return null;
  let serial = 0;
  let at = end + 1;
  // Up to 28 bits; a serial with more, or a negative one, is for the general decoder.
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined) return null;
    serial |= (byte & 0x7f) << shift;
    if (byte < 0x80) return at === length ? { id, serial } : null;
  }
  return null;
}
