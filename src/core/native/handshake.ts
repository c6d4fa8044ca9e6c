/**
 * The native handshake as pure steps (docs/protocol.md): the host's offer travels in its signed IdPk, the controller's
 * answer in PublicKey, and the first encrypted record of each end proves that it holds the keys.
 */
import { constantTimeEqual } from '../crypto/password.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { signDetached, verifyDetached } from '../crypto/sign.ts';
import { x25519, x25519PublicKey } from '../crypto/x25519.ts';
import { WireError } from '../errors.ts';
import { decodeAs, encodeAs, encodeMessage, hbb } from '../wire/proto.ts';
import type { PeerKey } from './contract.ts';
import {
  derivePathKeys,
  JOIN_PROOF_BYTES,
  joinProof,
  labelBytes,
  NATIVE_KEY_BYTES,
  NATIVE_NONCE_BYTES,
  type PathKeys,
  SESSION_ID_BYTES,
  type SessionTicket,
  transcriptHash,
} from './key-schedule.ts';

const NATIVE_VERSIONS: readonly number[] = [1];
/** 1: X25519, HKDF-SHA256, AES-256-GCM. */
const NATIVE_SUITES: readonly number[] = [1];
/** Entries that are read in a list of versions or suites; there are a handful of them in the world. */
const MAX_CHOICES = 32;
/** Ids are short names; this is more than anybody can type. */
const MAX_ID_LENGTH = 128;
/** A confirmation has three fields; room for some that a newer version may add. */
const MAX_CONFIRM_FIELDS = 64;

/** A computer's own id and Ed25519 secret key (64 bytes). */
export interface NativeIdentity {
  readonly id: string;
  readonly secretKey: Uint8Array;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** The host's half until the answer comes. */
export interface PendingOffer {
  readonly offer: hbb.INativeOffer;
  readonly secretKey: Uint8Array;
}

/** A fresh offer: 32 bytes of `random` for the key, then 32 for the nonce. */
export function makeOffer(random: RandomBytes): PendingOffer {
  const secretKey = random(NATIVE_KEY_BYTES);
  const offer = {
    versions: [...NATIVE_VERSIONS],
    suites: [...NATIVE_SUITES],
    key: x25519PublicKey(secretKey),
    nonce: random(NATIVE_NONCE_BYTES),
  };
  return { offer, secretKey };
}

/** The controller's answer: the frame to send, and what it makes of this link. */
export interface Answered {
  readonly frame: Uint8Array;
  readonly keys: PathKeys;
}

/**
 * Answers an offer whose signature was verified.
 * @param offerFrame the host's whole frame, as it came.
 * @throws WireError NATIVE_MALFORMED, NATIVE_UNSUPPORTED (no version or suite in common), BAD_KEY (a degenerate point)
 */
export function answerOffer(
  offer: hbb.INativeOffer,
  offerFrame: Uint8Array,
  random: RandomBytes,
  join: SessionTicket | null,
): Answered {
  const theirKey = sized(offer.key, NATIVE_KEY_BYTES, 'key');
  sized(offer.nonce, NATIVE_NONCE_BYTES, 'nonce');
  const version = choose(offer.versions, NATIVE_VERSIONS, 'version');
  const suite = choose(offer.suites, NATIVE_SUITES, 'suite');
  const secretKey = random(NATIVE_KEY_BYTES);
  const shared = x25519(secretKey, theirKey);
  const native: hbb.INativeAnswer & { version: number; suite: number; key: Uint8Array; nonce: Uint8Array } = {
    version,
    suite,
    key: x25519PublicKey(secretKey),
    nonce: random(NATIVE_NONCE_BYTES),
  };
  if (join) native.join = { sessionId: join.sessionId, proof: joinProof(join, offerFrame, native) };
  const frame = encodeMessage({ publicKey: { native } });
  return { frame, keys: derivePathKeys(shared, transcriptHash(offerFrame, frame), join) };
}

/**
 * What an answer makes of the link for the host.
 * @param findSession the secret of a session that is open to further paths, or null.
 * @throws WireError NATIVE_MALFORMED, NATIVE_UNSUPPORTED (what was not offered), BAD_KEY, NATIVE_JOIN (no such session, or no
 * proof of its secret)
 */
export function acceptAnswer(
  pending: PendingOffer,
  frames: { offer: Uint8Array; answer: Uint8Array },
  answer: hbb.INativeAnswer,
  findSession: (sessionId: Uint8Array) => Uint8Array | null,
): PathKeys {
  const key = sized(answer.key, NATIVE_KEY_BYTES, 'key');
  const nonce = sized(answer.nonce, NATIVE_NONCE_BYTES, 'nonce');
  const version = choose([answer.version ?? 0], NATIVE_VERSIONS, 'version');
  const suite = choose([answer.suite ?? 0], NATIVE_SUITES, 'suite');
  let join: SessionTicket | null = null;
  if (answer.join) {
    const sessionId = Uint8Array.from(sized(answer.join.sessionId, SESSION_ID_BYTES, 'session id'));
    const proof = sized(answer.join.proof, JOIN_PROOF_BYTES, 'proof');
    const sessionSecret = findSession(sessionId);
    join = sessionSecret && { sessionId, sessionSecret };
    if (!join || !constantTimeEqual(proof, joinProof(join, frames.offer, { version, suite, key, nonce })))
      throw new WireError('NATIVE_JOIN', 'a path wants to join a session without its secret');
  }
  const shared = x25519(pending.secretKey, key);
  return derivePathKeys(shared, transcriptHash(frames.offer, frames.answer), join);
}

/** The content of the controller's first record; without an identity it stays anonymous. */
export function controllerConfirm(keys: PathKeys, identity: NativeIdentity | null): Uint8Array {
  if (!identity) return encodeAs(hbb.NativeConfirm, {});
  const signature = signDetached(identityStatement(keys, identity.id), identity.secretKey);
  return encodeAs(hbb.NativeConfirm, { id: identity.id, key: identity.publicKey, signature });
}

/**
 * Who the controller proved to be, or null for nobody.
 * @throws WireError NATIVE_MALFORMED, NATIVE_IDENTITY (it claims to be somebody and does not prove it)
 */
export function readControllerConfirm(keys: PathKeys, content: Uint8Array): PeerKey | null {
  const { id, key, signature } = decodeAs<hbb.NativeConfirm>(hbb.NativeConfirm, content, MAX_CONFIRM_FIELDS);
  if (id === '' && key.length === 0 && signature.length === 0) return null;
  if (id === '' || id.length > MAX_ID_LENGTH)
    throw new WireError('NATIVE_MALFORMED', 'a controller has no usable id');
  if (!verifyDetached(signature, identityStatement(keys, id), key))
    throw new WireError('NATIVE_IDENTITY', 'a controller does not prove the identity that it claims');
  return { id, key: Uint8Array.from(key) };
}

/** The content of the host's first record: it has said who it is in its offer. */
export function hostConfirm(): Uint8Array {
  return encodeAs(hbb.NativeConfirm, {});
}

function identityStatement(keys: PathKeys, id: string): Uint8Array {
  return Buffer.concat([labelBytes('controller'), keys.exporter, Buffer.from(id, 'utf8')]);
}

/** Our first choice that is in their list. */
function choose(theirs: readonly number[] | null | undefined, ours: readonly number[], what: string): number {
  const list = theirs ?? [];
  const choice = list.length <= MAX_CHOICES ? ours.find((value) => list.includes(value)) : undefined;
  if (choice === undefined)
    throw new WireError('NATIVE_UNSUPPORTED', `no ${what} of the native link in common`);
  return choice;
}

function sized(value: Uint8Array | null | undefined, bytes: number, what: string): Uint8Array {
  if (value?.length !== bytes)
    throw new WireError('NATIVE_MALFORMED', `a ${what} of the native link has ${bytes} bytes`);
  return value;
}
