/** Names of rows: 16 bytes that grow with time, so that new rows land beside each other on disk and not all over it. */
import { randomFillSync } from 'node:crypto';

/** A UUID of version 7 (RFC 9562). @param unixMs wall-clock time */
export function newGuid(unixMs: number): Uint8Array {
  const guid = new Uint8Array(16);
  randomFillSync(guid, 6);
  new DataView(guid.buffer).setUint32(0, Math.floor(unixMs / 0x10000));
  new DataView(guid.buffer).setUint16(4, unixMs % 0x10000);
  guid[6] = 0x70 | ((guid[6] ?? 0) & 0x0f);
  guid[8] = 0x80 | ((guid[8] ?? 0) & 0x3f);
  return guid;
}
