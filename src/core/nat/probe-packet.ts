/**
 * The datagrams by which two peers that share a secret find out whether a pair of addresses works. 32 bytes, so that no
 * answer is larger than its question:
 *
 *     0  magic                4 bytes
 *     4  nonce                8 bytes, echoed by the answer
 *     12 0x10                 a KCP endpoint that gets a late one takes it for a reset of a connection it never had
 *     13 kind, and who sends  1 byte
 *     14 zero                 2 bytes
 *     16 tag                  16 bytes over the first 16, keyed with the session's secret and the round
 */
import { constantTimeEqual } from '../crypto/password.ts';

export const PROBE_BYTES = 32;
export const TAG_BYTES = 16;
export const NONCE_BYTES = 8;
const MAGIC = [0x4c, 0x44, 0x70, 0x31] as const;
const KCP_RESET = 0x10;

/** `probe`: does this pair work? `answer`: it does. `nominate`: this is the one. `accepted`: so it is. */
const PROBE_KINDS = ['probe', 'answer', 'nominate', 'accepted'] as const;
export type ProbeKind = (typeof PROBE_KINDS)[number];
export type PathRole = 'controller' | 'host';

export interface ProbePacket {
  readonly kind: ProbeKind;
  readonly from: PathRole;
  readonly nonce: Uint8Array;
}

/** TAG_BYTES of a keyed hash; the key is that of one session and one round. */
export type Authenticate = (bytes: Uint8Array) => Uint8Array;

export function encodeProbe(packet: ProbePacket, authenticate: Authenticate): Uint8Array {
  const bytes = new Uint8Array(PROBE_BYTES);
  bytes.set(MAGIC, 0);
  bytes.set(packet.nonce.subarray(0, NONCE_BYTES), 4);
  bytes[12] = KCP_RESET;
  bytes[13] = (PROBE_KINDS.indexOf(packet.kind) << 1) | (packet.from === 'host' ? 1 : 0);
  bytes.set(authenticate(bytes.subarray(0, TAG_BYTES)), TAG_BYTES);
  return bytes;
}

/** Null for everything that was not made by somebody who has the secret. */
export function decodeProbe(bytes: Uint8Array, authenticate: Authenticate): ProbePacket | null {
  if (bytes.length !== PROBE_BYTES || !MAGIC.every((value, i) => bytes[i] === value)) return null;
  const head = bytes.subarray(0, TAG_BYTES);
  if (!constantTimeEqual(authenticate(head), bytes.subarray(TAG_BYTES))) return null;
  const type = bytes[13] ?? 0;
  const kind = PROBE_KINDS[type >> 1];
  if (kind === undefined) return null;
  return { kind, from: type & 1 ? 'host' : 'controller', nonce: bytes.slice(4, 4 + NONCE_BYTES) };
}
