/** The one message without a natural size: an address book may hold any number of ids (rendezvous §6.8). */
import $protobuf from 'protobufjs/minimal.js';

/** Field 23 of RendezvousMessage, and field 2 of OnlineRequest, both length-delimited. */
const ONLINE_REQUEST = (23 << 3) | 2;
const PEERS = (2 << 3) | 2;

/**
 * The ids of an OnlineRequest, read in one pass and without an object a field. Null when the bytes are no OnlineRequest or
 * name more than `maxIds`.
 */
export function readOnlineIds(bytes: Uint8Array, maxIds: number): string[] | null {
  const reader = new $protobuf.Reader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const ids: string[] = [];
  try {
    if (reader.uint32() !== ONLINE_REQUEST) return null;
    const end = reader.uint32() + reader.pos;
    if (end !== reader.len) return null;
    while (reader.pos < end) {
      const tag = reader.uint32();
      if (tag === PEERS) {
        if (ids.length >= maxIds) return null;
        ids.push(reader.string());
      } else reader.skipType(tag & 7, 0, tag >>> 3);
    }
    return ids;
  } catch {
    return null;
  }
}
