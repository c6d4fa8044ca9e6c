/** The key exchange between two peers (rendezvous §11, session §2.2), over any link: stock, or native where both know it. */
import {
  BOX_KEY_BYTES,
  boxKeyPair,
  openSessionKey,
  SESSION_KEY_BYTES,
  sealSessionKey,
} from '../core/crypto/box.ts';
import { keyFingerprint } from '../core/crypto/fingerprint.ts';
import { constantTimeEqual } from '../core/crypto/password.ts';
import { systemRandom } from '../core/crypto/random.ts';
import { SealedStream } from '../core/crypto/sealed-stream.ts';
import { openCombined, signIdPk } from '../core/crypto/sign.ts';
import type { LiteDeskError } from '../core/errors.ts';
import { makeOffer } from '../core/native/handshake.ts';
import { decodeAs, decodeMessage, encodeMessage, hbb } from '../core/wire/proto.ts';
import { awaitSecured, type HandshakeStep, throwIfAborted } from './await-secured.ts';
import { handshakeErrors } from './handshake-errors.ts';
import type { NetLink } from './net-link.ts';
import { acceptNative, answerNative } from './secure-native.ts';
import type { SecureControllerOptions, SecureHostOptions } from './secure-options.ts';
import { type SecuredLink, SecuredNetLink } from './secured-link.ts';

export { HANDSHAKE_TIMEOUT_MS } from './await-secured.ts';
export type * from './secure-options.ts';
export type { SecuredLink } from './secured-link.ts';

const EMPTY = new Uint8Array(0);

/**
 * The controller's side. Takes the link over; when it fails the link is destroyed. initCrypto() must have resolved before.
 * Throws LiteDeskError of stage `handshake` (handshake-errors.ts) or ABORTED.
 */
export async function secureAsController(
  link: NetLink,
  options: SecureControllerOptions,
): Promise<SecuredLink> {
  const { peerId, pinned, native, nativeOnly = false, fingerprint } = options;
  const fail = (error: LiteDeskError): never => {
    link.destroy(error);
    throw error;
  };
  if (pinned && options.hostKey && !constantTimeEqual(pinned.key, options.hostKey))
    fail(handshakeErrors.keyChanged(peerId, pinned.key, options.hostKey));
  const hostKey = pinned?.key ?? options.hostKey;
  if (fingerprint && hostKey && keyFingerprint(hostKey) !== fingerprint)
    fail(handshakeErrors.fingerprintDiffers(peerId, fingerprint, hostKey));
  // Leave for plain text was given for what this computer may have been, not for a way around what it is known to be.
  const allowPlaintext =
    options.allowPlaintext && !pinned?.native && !native?.join && !nativeOnly && !fingerprint;
  if (!hostKey) {
    if (!allowPlaintext) return fail(handshakeErrors.noKey(peerId));
    throwIfAborted(link, options.signal);
    link.send(EMPTY);
    // The host's SignedId is under way all the same (rendezvous §11.3).
    return plain(link, isSignedId);
  }
  let next: HandshakeStep | null = null;
  return await awaitSecured(link, options, (payload) => {
    if (next) return next(payload);
    const offer = readOffer(payload, hostKey, peerId);
    if (offer.error) {
      if (pinned?.native && offer.error.code === 'HANDSHAKE_PLAINTEXT_REFUSED')
        throw handshakeErrors.nativeWithheld(peerId);
      if (!allowPlaintext) throw offer.error;
      link.send(offer.error.code === 'HANDSHAKE_BAD_SIGNATURE' ? encodeMessage({ publicKey: {} }) : EMPTY);
      return plain(link);
    }
    if (offer.native && native) {
      next = answerNative(link, { ...options, native }, { id: peerId, key: hostKey }, offer.native, payload);
      return null;
    }
    if (native?.join) throw handshakeErrors.joinRefused();
    if (pinned?.native) throw handshakeErrors.nativeWithheld(peerId);
    if (nativeOnly) throw handshakeErrors.nativeMissing(peerId);
    return answerStock(link, options, hostKey, offer.boxKey);
  });
}

/**
 * The host's side: SignedId leaves before this function returns its promise. Takes the link over; when it fails the link is
 * destroyed. initCrypto() must have resolved before. Throws as secureAsController.
 */
export async function secureAsHost(link: NetLink, options: SecureHostOptions): Promise<SecuredLink> {
  const { allowPlaintext, native, random = systemRandom } = options;
  const box = boxKeyPair(random(BOX_KEY_BYTES));
  const pending = native ? makeOffer(random) : null;
  const signed = signIdPk(options.id, box.publicKey, options.signSecretKey, pending?.offer);
  const offerFrame = encodeMessage({ signedId: { id: signed } });
  link.send(offerFrame);
  let next: HandshakeStep | null = null;
  return await awaitSecured(link, options, (payload) => {
    if (next) return next(payload);
    const { publicKey } = parse(payload);
    const theirPk = publicKey?.asymmetricValue ?? EMPTY;
    if (publicKey?.native) {
      if (!native || !pending || theirPk.length > 0) throw handshakeErrors.malformed();
      next = acceptNative(link, native, pending, { offer: offerFrame, answer: payload }, publicKey.native);
      return null;
    }
    if (!publicKey || theirPk.length === 0) {
      if (publicKey) options.onKeyDoubted?.();
      if (!allowPlaintext) throw handshakeErrors.plaintextRefused();
      return plain(link);
    }
    const sessionKey = openSessionKey(publicKey.symmetricValue, theirPk, box.secretKey);
    if (sessionKey?.length !== SESSION_KEY_BYTES) throw handshakeErrors.invalidKey();
    return new SecuredNetLink(link, { cipher: new SealedStream(sessionKey) });
  });
}

/** A link without a key exchange, as on the direct access port (rendezvous §11.7): everything goes in clear. */
export function plainSecured(link: NetLink): SecuredLink {
  return plain(link);
}

function plain(link: NetLink, skipFirst?: (payload: Uint8Array) => boolean): SecuredLink {
  return new SecuredNetLink(link, { skipFirst });
}

function answerStock(
  link: NetLink,
  options: SecureControllerOptions,
  hostKey: Uint8Array,
  hostBoxKey: Uint8Array,
): SecuredLink {
  const { random = systemRandom } = options;
  const box = boxKeyPair(random(BOX_KEY_BYTES));
  const sessionKey = random(SESSION_KEY_BYTES);
  let symmetricValue: Uint8Array;
  try {
    symmetricValue = sealSessionKey(sessionKey, hostBoxKey, box.secretKey);
  } catch (error) {
    throw handshakeErrors.invalidKey(error);
  }
  link.send(encodeMessage({ publicKey: { asymmetricValue: box.publicKey, symmetricValue } }));
  return new SecuredNetLink(link, { cipher: new SealedStream(sessionKey), peerKey: hostKey });
}

type Offer =
  | { boxKey: Uint8Array; native: hbb.INativeOffer | null; error?: undefined }
  | { error: LiteDeskError };

/** What the host's first frame is worth to a controller (rendezvous §11.3). */
function readOffer(payload: Uint8Array, hostKey: Uint8Array, peerId: string): Offer {
  try {
    const { signedId } = decodeMessage(payload);
    if (!signedId) return { error: handshakeErrors.plaintextRefused() };
    const signed = openCombined(signedId.id, hostKey);
    if (!signed) return { error: handshakeErrors.badSignature(peerId) };
    const { id, pk, native } = decodeAs<hbb.IdPk>(hbb.IdPk, signed);
    if (id !== peerId) return { error: handshakeErrors.wrongId(peerId, id) };
    if (pk.length !== BOX_KEY_BYTES) return { error: handshakeErrors.invalidKey() };
    return { boxKey: pk, native: native ?? null };
  } catch (error) {
    return { error: handshakeErrors.malformed(error) };
  }
}

function parse(payload: Uint8Array): hbb.Message {
  try {
    return decodeMessage(payload);
  } catch (error) {
    throw handshakeErrors.malformed(error);
  }
}

function isSignedId(payload: Uint8Array): boolean {
  try {
    return decodeMessage(payload).union === 'signedId';
  } catch {
    return false;
  }
}
