/** Ed25519 signatures in combined form: 64 signature bytes, then what was signed (rendezvous §11.1, session §2.2). */
import { decodeAs, encodeAs, hbb } from '../wire/proto.ts';
import { lib } from './sodium.ts';

export const SIGN_PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

export interface SignKeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes: the seed, then the public key. */
  readonly secretKey: Uint8Array;
}

/** A fresh key pair, or the one of a 32-byte seed. */
export function signKeyPair(seed?: Uint8Array): SignKeyPair {
  const pair = seed ? lib().crypto_sign_seed_keypair(seed) : lib().crypto_sign_keypair();
  return { publicKey: pair.publicKey, secretKey: pair.privateKey };
}

/** Signature and message in one. `secretKey` has 64 bytes. */
export function signCombined(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  return lib().crypto_sign(message, secretKey);
}

/** What was signed, or null when the signature is not of this key or anything has a wrong length. */
export function openCombined(signed: Uint8Array, publicKey: Uint8Array): Uint8Array | null {
  if (signed.length < SIGNATURE_BYTES || publicKey.length !== SIGN_PUBLIC_KEY_BYTES) return null;
  try {
    return lib().crypto_sign_open(signed, publicKey);
  } catch {
    return null;
  }
}

/** The 64 bytes of a signature alone. `secretKey` has 64 bytes. */
export function signDetached(message: Uint8Array, secretKey: Uint8Array): Uint8Array {
  return lib().crypto_sign_detached(message, secretKey);
}

/** Whether `signature` is this key's over `message`; false as well when anything has a wrong length. */
export function verifyDetached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES || publicKey.length !== SIGN_PUBLIC_KEY_BYTES) return false;
  try {
    return lib().crypto_sign_verify_detached(signature, message, publicKey);
  } catch {
    return false;
  }
}

/**
 * The signed binding of an id to a public key: by the server for a device, by a host for its box key, then with its offer
 * of the native link where it makes one.
 */
export function signIdPk(
  id: string,
  pk: Uint8Array,
  secretKey: Uint8Array,
  native?: hbb.INativeOffer,
): Uint8Array {
  return signCombined(encodeAs(hbb.IdPk, native ? { id, pk, native } : { id, pk }), secretKey);
}

/** The id and the 32-byte key that were signed, or null when anything is wrong. The caller still compares the id. */
export function openIdPk(signed: Uint8Array, publicKey: Uint8Array): { id: string; pk: Uint8Array } | null {
  const message = openCombined(signed, publicKey);
  if (!message) return null;
  try {
    const { id, pk } = decodeAs<hbb.IdPk>(hbb.IdPk, message);
    return pk.length === 32 ? { id, pk } : null;
  } catch {
    return null;
  }
}
