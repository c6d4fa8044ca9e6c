/** The hand-over of a session key in a NaCl box with an all-zero nonce; keys are fresh each time (rendezvous §11.2, §11.3). */
import { WireError } from '../errors.ts';
import { lib } from './sodium.ts';

export const BOX_KEY_BYTES = 32;
export const SESSION_KEY_BYTES = 32;
/** A session key and the 16-byte tag. */
const SEALED_SESSION_KEY_BYTES = 48;

const ZERO_NONCE = new Uint8Array(24);

export interface BoxKeyPair {
  /** 32 bytes, X25519. */
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

/** A fresh key pair, or the one of a given 32-byte secret. */
export function boxKeyPair(secretKey?: Uint8Array): BoxKeyPair {
  if (secretKey) return { publicKey: lib().crypto_scalarmult_base(secretKey), secretKey };
  const pair = lib().crypto_box_keypair();
  return { publicKey: pair.publicKey, secretKey: pair.privateKey };
}

/**
 * The 48 bytes of PublicKey.symmetric_value.
 * @throws WireError BAD_KEY when `theirPk`, which came from the other end, has a wrong length or is a degenerate point, whose
 * shared secret anybody could compute.
 */
export function sealSessionKey(key: Uint8Array, theirPk: Uint8Array, mySk: Uint8Array): Uint8Array {
  try {
    return lib().crypto_box_easy(key, ZERO_NONCE, theirPk, mySk);
  } catch (cause) {
    throw new WireError('BAD_KEY', 'the other end sent an unusable box key', { cause });
  }
}

/** The 32-byte session key, or null when the box was not made for these keys or anything has a wrong length. */
export function openSessionKey(sealed: Uint8Array, theirPk: Uint8Array, mySk: Uint8Array): Uint8Array | null {
  if (sealed.length !== SEALED_SESSION_KEY_BYTES || theirPk.length !== BOX_KEY_BYTES) return null;
  try {
    return lib().crypto_box_open_easy(sealed, ZERO_NONCE, theirPk, mySk);
  } catch {
    return null;
  }
}
