/**
 * What the two ends of a native link derive from their handshake (docs/protocol.md). HKDF-SHA256, salted with the hash of
 * both whole handshake messages: whoever changed a bit of either message leaves the ends with different keys.
 */
import { createHash, createHmac, hkdfSync } from 'node:crypto';
import type { NativeSecrets } from './contract.ts';

export const NATIVE_KEY_BYTES = 32;
export const NATIVE_NONCE_BYTES = 32;
export const SESSION_ID_BYTES = 16;
const SESSION_SECRET_BYTES = 32;
export const JOIN_PROOF_BYTES = 32;

/** Begins every string that is hashed, derived from or signed here, so that none can stand for another. */
const NATIVE_LABEL = 'litedesk native v1 ';

/** The right to join a session as one more path. */
export interface SessionTicket {
  /** 16 bytes. */
  readonly sessionId: Uint8Array;
  /** 32 bytes. */
  readonly sessionSecret: Uint8Array;
}

/** All that one handshake leaves. Keys are of 32 bytes, one for each direction. */
export interface PathKeys extends NativeSecrets {
  readonly controllerKey: Uint8Array;
  readonly hostKey: Uint8Array;
  /** For signatures that are to hold for this link only. */
  readonly exporter: Uint8Array;
}

const utf8 = new TextEncoder();

/** A label of this protocol as bytes. */
export function labelBytes(label: string): Uint8Array {
  return utf8.encode(NATIVE_LABEL + label);
}

/** SHA-256 over both frames as they were sent, each behind its length in 4 bytes, big-endian. */
export function transcriptHash(offerFrame: Uint8Array, answerFrame: Uint8Array): Uint8Array {
  const hash = createHash('sha256').update(labelBytes('transcript'));
  for (const frame of [offerFrame, answerFrame]) hash.update(u32(frame.length)).update(frame);
  return Uint8Array.from(hash.digest());
}

/**
 * @param shared the X25519 secret, 32 bytes.
 * @param join the session that this path joins: its secret goes into the keys, its id stays what it is.
 */
export function derivePathKeys(
  shared: Uint8Array,
  transcript: Uint8Array,
  join: SessionTicket | null,
): PathKeys {
  const material = join ? Buffer.concat([shared, join.sessionSecret]) : shared;
  const derive = (label: string, bytes: number): Uint8Array =>
    new Uint8Array(hkdfSync('sha256', material, transcript, labelBytes(label), bytes));
  return {
    transcript,
    controllerKey: derive('controller key', NATIVE_KEY_BYTES),
    hostKey: derive('host key', NATIVE_KEY_BYTES),
    exporter: derive('exporter', NATIVE_KEY_BYTES),
    sessionId: join?.sessionId ?? derive('session id', SESSION_ID_BYTES),
    sessionSecret: join?.sessionSecret ?? derive('session secret', SESSION_SECRET_BYTES),
    joined: join !== null,
  };
}

/** What a join is proven by: HMAC-SHA256 under the session's secret over the offer as it came and the answer's own fields. */
export function joinProof(
  ticket: SessionTicket,
  offerFrame: Uint8Array,
  answer: { version: number; suite: number; key: Uint8Array; nonce: Uint8Array },
): Uint8Array {
  const mac = createHmac('sha256', ticket.sessionSecret)
    .update(labelBytes('join'))
    .update(createHash('sha256').update(offerFrame).digest())
    .update(u32(answer.version))
    .update(u32(answer.suite))
    .update(answer.key)
    .update(answer.nonce)
    .update(ticket.sessionId);
  return Uint8Array.from(mac.digest());
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
