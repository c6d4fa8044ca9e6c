/** Encrypted frames (rendezvous §11.5, session §0.3). */
import { WireError } from '../errors.ts';
import { SESSION_KEY_BYTES } from './box.ts';
import type { FrameCipher } from './frame-cipher.ts';
import { lib, nativeSecretbox } from './sodium.ts';

export const TAG_BYTES = 16;

/** The implicit nonce: a counter, little-endian in the first 8 of 24 bytes, incremented before use. */
class Nonce {
  readonly bytes = new Uint8Array(24);
  readonly #view = new DataView(this.bytes.buffer);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  next(): Uint8Array {
    // A number is exact up to 2^53 frames, which no connection lives to see.
    this.#count++;
    this.#view.setUint32(0, this.#count >>> 0, true);
    this.#view.setUint32(4, Math.floor(this.#count / 0x1_0000_0000), true);
    return this.bytes;
  }
}

/**
 * Seals and opens the frames of one connection under one session key. Both directions use the same key and each counts its
 * frames from 1, so every frame must pass through here exactly once and in order.
 */
export class SealedStream implements FrameCipher {
  readonly overheadBytes = TAG_BYTES;
  readonly #key: Uint8Array;
  readonly #sent = new Nonce();
  readonly #received = new Nonce();
  #broken: WireError | undefined;

  /** @param key 32 bytes; copied. */
  constructor(key: Uint8Array) {
    if (key.length !== SESSION_KEY_BYTES)
      throw new WireError('BAD_KEY', `a session key has 32 bytes, not ${key.length}`);
    this.#key = Uint8Array.from(key);
  }

  /** Frames sealed and frames opened so far. */
  get counts(): { sealed: number; opened: number } {
    return { sealed: this.#sent.count, opened: this.#received.count };
  }

  /** The payload of the next frame to send: 16 bytes longer than `plain`, which may be empty. */
  seal(plain: Uint8Array): Uint8Array {
    const nonce = this.#sent.next();
    const native = nativeSecretbox();
    if (!native) return lib().crypto_secretbox_easy(plain, nonce, this.#key);
    const out = new Uint8Array(plain.length + TAG_BYTES);
    native.crypto_secretbox_easy(out, plain, nonce, this.#key);
    return out;
  }

  /**
   * The content of the next frame received. A payload of 0 or 1 bytes was never sealed: it is returned as it is and is not
   * counted (rendezvous §11.4).
   * @throws WireError BAD_SEAL when the frame is forged, damaged, lost or out of order. The stream is then dead: every later
   * call throws as well.
   */
  open(payload: Uint8Array): Uint8Array {
    if (this.#broken) throw this.#broken;
    if (payload.length <= 1) return new Uint8Array(payload);
    const plain = payload.length < TAG_BYTES ? null : this.#openBox(payload);
    if (plain) return plain;
    this.#broken = new WireError('BAD_SEAL', 'an encrypted frame does not open');
    throw this.#broken;
  }

  #openBox(payload: Uint8Array): Uint8Array | null {
    const nonce = this.#received.next();
    const native = nativeSecretbox();
    if (native) {
      const out = new Uint8Array(payload.length - TAG_BYTES);
      return native.crypto_secretbox_open_easy(out, payload, nonce, this.#key) ? out : null;
    }
    try {
      return lib().crypto_secretbox_open_easy(payload, nonce, this.#key);
    } catch {
      return null;
    }
  }
}
