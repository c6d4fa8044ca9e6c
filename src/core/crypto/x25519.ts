/** X25519 (RFC 7748), for keys that live as long as one connection. */
import { WireError } from '../errors.ts';
import { lib } from './sodium.ts';

const KEY_BYTES = 32;

/** The public key of 32 secret bytes. */
export function x25519PublicKey(secretKey: Uint8Array): Uint8Array {
  return lib().crypto_scalarmult_base(secretKey);
}

/**
 * The shared secret, 32 bytes; hash it together with what was said before you use it.
 * @throws WireError BAD_KEY for a wrong length and for a point of low order, whose secret anybody could compute.
 */
export function x25519(secretKey: Uint8Array, theirPublicKey: Uint8Array): Uint8Array {
  try {
    const shared = lib().crypto_scalarmult(secretKey, theirPublicKey);
    if (theirPublicKey.length === KEY_BYTES && shared.some((byte) => byte !== 0)) return shared;
  } catch (cause) {
    throw new WireError('BAD_KEY', 'the other end sent an unusable key', { cause });
  }
  throw new WireError('BAD_KEY', 'the other end sent an unusable key');
}
