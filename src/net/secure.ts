/** The key exchange between two peers (rendezvous §11, session §2.2), over any link. */
import { type Clock, systemClock } from '../core/clock.ts';
import {
  BOX_KEY_BYTES,
  boxKeyPair,
  openSessionKey,
  SESSION_KEY_BYTES,
  sealSessionKey,
} from '../core/crypto/box.ts';
import { type RandomBytes, systemRandom } from '../core/crypto/random.ts';
import { SealedStream } from '../core/crypto/sealed-stream.ts';
import { openCombined, signIdPk } from '../core/crypto/sign.ts';
import { LiteDeskError } from '../core/errors.ts';
import { decodeAs, decodeMessage, encodeMessage, hbb } from '../core/wire/proto.ts';
import { abortError } from './errors.ts';
import { handshakeErrors } from './handshake-errors.ts';
import type { NetLink } from './net-link.ts';
import { type SecuredLink, SecuredNetLink } from './secured-link.ts';

export type { SecuredLink } from './secured-link.ts';

/** How long either side waits for the other's frame (rendezvous §11.2, §11.3). */
export const HANDSHAKE_TIMEOUT_MS = 18_000;

interface CommonOptions {
  /** Goes on in clear where the protocol has it so. Without it every such case is an error and the link is destroyed. */
  allowPlaintext: boolean;
  timeoutMs?: number;
  signal?: AbortSignal;
  clock?: Clock;
  /** Source of the ephemeral secrets, in the order: box secret key (32), session key (32, controller only). */
  random?: RandomBytes;
}

export interface SecureControllerOptions extends CommonOptions {
  /** The id that was asked for. */
  peerId: string;
  /** The host's signing key (32 bytes) as the server vouched for it, or null when it gave none that verifies. */
  hostKey: Uint8Array | null;
}

export interface SecureHostOptions extends CommonOptions {
  /** Our own id. */
  id: string;
  /** Our Ed25519 secret key, 64 bytes. */
  signSecretKey: Uint8Array;
  /** The controller holds another key of ours than the one we sign with: register the key again (rendezvous §11.2). */
  onKeyDoubted?: () => void;
}

const EMPTY = new Uint8Array(0);

/**
 * The controller's side. Takes the link over; when it fails the link is destroyed. initCrypto() must have resolved before.
 * Throws LiteDeskError of stage `handshake` (handshake-errors.ts) or ABORTED.
 */
export async function secureAsController(
  link: NetLink,
  options: SecureControllerOptions,
): Promise<SecuredLink> {
  const { hostKey, peerId, allowPlaintext } = options;
  if (!hostKey) {
    if (!allowPlaintext) {
      const error = handshakeErrors.noKey(peerId);
      link.destroy(error);
      throw error;
    }
    throwIfAborted(link, options);
    link.send(EMPTY);
    // The host's SignedId is under way all the same (rendezvous §11.3).
    return plain(link, isSignedId);
  }
  return await firstFrame(link, options, (payload) => {
    const offer = readOffer(payload, hostKey, peerId);
    if (offer.error) {
      if (!allowPlaintext) throw offer.error;
      link.send(offer.error.code === 'HANDSHAKE_BAD_SIGNATURE' ? encodeMessage({ publicKey: {} }) : EMPTY);
      return plain(link);
    }
    const random = options.random ?? systemRandom;
    const box = boxKeyPair(random(BOX_KEY_BYTES));
    const sessionKey = random(SESSION_KEY_BYTES);
    let symmetricValue: Uint8Array;
    try {
      symmetricValue = sealSessionKey(sessionKey, offer.boxKey, box.secretKey);
    } catch (error) {
      throw handshakeErrors.invalidKey(error);
    }
    link.send(encodeMessage({ publicKey: { asymmetricValue: box.publicKey, symmetricValue } }));
    return new SecuredNetLink(link, { stream: new SealedStream(sessionKey), peerVerified: true });
  });
}

/**
 * The host's side: SignedId leaves before this function returns its promise. Takes the link over; when it fails the link is
 * destroyed. initCrypto() must have resolved before. Throws as secureAsController.
 */
export async function secureAsHost(link: NetLink, options: SecureHostOptions): Promise<SecuredLink> {
  const { allowPlaintext } = options;
  const box = boxKeyPair((options.random ?? systemRandom)(BOX_KEY_BYTES));
  link.send(encodeMessage({ signedId: { id: signIdPk(options.id, box.publicKey, options.signSecretKey) } }));
  return await firstFrame(link, options, (payload) => {
    const { publicKey } = parse(payload);
    const theirPk = publicKey?.asymmetricValue ?? EMPTY;
    if (!publicKey || theirPk.length === 0) {
      if (publicKey) options.onKeyDoubted?.();
      if (!allowPlaintext) throw handshakeErrors.plaintextRefused();
      return plain(link);
    }
    const sessionKey = openSessionKey(publicKey.symmetricValue, theirPk, box.secretKey);
    if (sessionKey?.length !== SESSION_KEY_BYTES) throw handshakeErrors.invalidKey();
    return new SecuredNetLink(link, { stream: new SealedStream(sessionKey), peerVerified: false });
  });
}

/** A link without a key exchange, as on the direct access port (rendezvous §11.7): everything goes in clear. */
export function plainSecured(link: NetLink): SecuredLink {
  return plain(link);
}

function plain(link: NetLink, skipFirst?: (payload: Uint8Array) => boolean): SecuredLink {
  return new SecuredNetLink(link, { peerVerified: false, skipFirst });
}

type Offer = { boxKey: Uint8Array; error?: undefined } | { error: LiteDeskError };

/** What the host's first frame is worth to a controller (rendezvous §11.3). */
function readOffer(payload: Uint8Array, hostKey: Uint8Array, peerId: string): Offer {
  try {
    const { signedId } = decodeMessage(payload);
    if (!signedId) return { error: handshakeErrors.plaintextRefused() };
    const signed = openCombined(signedId.id, hostKey);
    if (!signed) return { error: handshakeErrors.badSignature(peerId) };
    const { id, pk } = decodeAs<hbb.IdPk>(hbb.IdPk, signed);
    if (id !== peerId) return { error: handshakeErrors.wrongId(peerId, id) };
    return pk.length === BOX_KEY_BYTES ? { boxKey: pk } : { error: handshakeErrors.invalidKey() };
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

function throwIfAborted(link: NetLink, { signal }: CommonOptions): void {
  if (!signal?.aborted) return;
  const error = abortError(signal, 'handshake');
  link.destroy(error);
  throw error;
}

/** Gives the next frame to `take`, in the same turn, so that what it answers changes the link before another frame. */
async function firstFrame(
  link: NetLink,
  options: CommonOptions,
  take: (payload: Uint8Array) => SecuredLink,
): Promise<SecuredLink> {
  const { timeoutMs = HANDSHAKE_TIMEOUT_MS, signal, clock = systemClock } = options;
  throwIfAborted(link, options);
  return await new Promise<SecuredLink>((resolve, reject) => {
    let done = false;
    const settle = (): boolean => {
      if (done) return false;
      done = true;
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
      return true;
    };
    const fail = (error: LiteDeskError): void => {
      if (!settle()) return;
      link.destroy(error);
      reject(error);
    };
    const onAbort = (): void => fail(abortError(signal as AbortSignal, 'handshake'));
    const cancelTimer = clock.setTimer(timeoutMs, () => fail(handshakeErrors.timeout(timeoutMs)));
    signal?.addEventListener('abort', onAbort, { once: true });
    link.setHandlers({
      onFrame: (payload) => {
        if (done) return;
        let secured: SecuredLink;
        try {
          secured = take(payload);
        } catch (error) {
          fail(error instanceof LiteDeskError ? error : handshakeErrors.malformed(error));
          return;
        }
        settle();
        resolve(secured);
      },
      onClose: (close) => fail(handshakeErrors.peerClosed(close.error)),
    });
  });
}
