/**
 * The datagrams between a peer and the relay (docs/protocol.md, "The relay over UDP"). All of them begin as a packet of KCP
 * does (rendezvous §10.2), with two fixed numbers in the place of its triple; so what carries the stream and what opens it
 * come by one port, and neither is taken for a message of the rendezvous.
 */
import { WireError } from '../errors.ts';
import { decodeRendezvous, encodeRendezvous, type hbb } from './proto.ts';

/** No text, so that no id or name in a rendezvous message can look like it. */
export const RELAY_TRIPLE = { src: 0xc689f29b, dst: 0x01ffe1d4 } as const;
/** An opening is as long as all that may come back before its sender has shown that it is there. */
export const OPENING_BYTES = 1200;
/** Random bytes that only the owner of an address can bring back. */
export const PROOF_BYTES = 16;

const HEADER = 14;
const LENGTH_BYTES = 2;
/** Beyond the flags of a KCP packet. */
const KIND = { open: 0x81, prove: 0x82, proof: 0x83 } as const;

export type RelayDatagram =
  | { readonly kind: 'open'; readonly conv: number; readonly request: hbb.IRequestRelay }
  /** `prove`: the relay asks for the token; `proof`: here it is. */
  | { readonly kind: 'prove' | 'proof'; readonly conv: number; readonly token: Uint8Array }
  /** A packet of the stream. */
  | { readonly kind: 'stream'; readonly conv: number };

/** Whether this is for the relay: the rest is up to `readRelayDatagram`. */
export function isRelayDatagram(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER) return false;
  const view = viewOf(bytes);
  return view.getUint32(4, true) === RELAY_TRIPLE.src && view.getUint32(8, true) === RELAY_TRIPLE.dst;
}

/** What a datagram is; null: nothing of ours. Keeps references into it. */
export function readRelayDatagram(bytes: Uint8Array): RelayDatagram | null {
  if (!isRelayDatagram(bytes)) return null;
  const view = viewOf(bytes);
  const conv = view.getUint32(0, true);
  const kind = bytes[12] ?? 0;
  if (kind < 0x80) return { kind: 'stream', conv };
  if (kind === KIND.open) {
    const request = bytes.length < OPENING_BYTES ? null : requestOf(bytes, view.getUint16(HEADER, true));
    return request && { kind: 'open', conv, request };
  }
  if (bytes.length !== HEADER + PROOF_BYTES) return null;
  const token = bytes.subarray(HEADER);
  if (kind === KIND.prove) return { kind: 'prove', conv, token };
  return kind === KIND.proof ? { kind: 'proof', conv, token } : null;
}

/** @throws WireError FRAME_TOO_LARGE: a request with an unusually long key */
export function encodeOpening(conv: number, request: hbb.IRequestRelay): Uint8Array {
  const message = encodeRendezvous({ requestRelay: request });
  const at = HEADER + LENGTH_BYTES;
  if (at + message.length > OPENING_BYTES)
    throw new WireError('FRAME_TOO_LARGE', `a request of ${message.length} bytes does not fit into one datagram`);
  const out = new Uint8Array(OPENING_BYTES);
  putHeader(out, conv, KIND.open);
  viewOf(out).setUint16(HEADER, message.length, true);
  out.set(message, at);
  return out;
}

export function encodeProof(kind: 'prove' | 'proof', conv: number, token: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER + PROOF_BYTES);
  putHeader(out, conv, KIND[kind]);
  out.set(token.subarray(0, PROOF_BYTES), HEADER);
  return out;
}

function requestOf(bytes: Uint8Array, length: number): hbb.IRequestRelay | null {
  const at = HEADER + LENGTH_BYTES;
  if (at + length > bytes.length) return null;
  try {
    return decodeRendezvous(bytes.subarray(at, at + length)).requestRelay ?? null;
  } catch {
    return null;
  }
}

function putHeader(out: Uint8Array, conv: number, kind: number): void {
  const view = viewOf(out);
  view.setUint32(0, conv, true);
  view.setUint32(4, RELAY_TRIPLE.src, true);
  view.setUint32(8, RELAY_TRIPLE.dst, true);
  out[12] = kind;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
