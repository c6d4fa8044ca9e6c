/** Encrypted records of a native link: AES-256-GCM, one key for each direction (docs/protocol.md). */
import { type CipherGCM, createCipheriv, createDecipheriv, createSecretKey, type DecipherGCM, hkdfSync, type KeyObject } from 'node:crypto';
import type { FrameCipher } from '../crypto/frame-cipher.ts';
import { WireError } from '../errors.ts';
import { joinParts } from '../link.ts';
import { labelBytes, NATIVE_KEY_BYTES } from './key-schedule.ts';

export const RECORD_TAG_BYTES = 16;
const NONCE_BYTES = 12;

/**
 * A key is replaced by one derived from it before it has done so much. TLS lets one AES-GCM key do 2^38 bytes (RFC 8446 §5.5);
 * this stays well below, the counter never comes near its end, and the key of now cannot read what was said long ago.
 */
export interface RekeyLimits {
  readonly records: number;
  readonly bytes: number;
}

const REKEY_LIMITS: RekeyLimits = { records: 2 ** 20, bytes: 2 ** 32 };

/** One direction's key with its counter, which both ends keep in step without a word. */
class RecordKey {
  readonly nonce = new Uint8Array(NONCE_BYTES);
  readonly #view = new DataView(this.nonce.buffer);
  readonly #limits: RekeyLimits;
  /** As an object: handed over as bytes it would be set up anew for each record, which costs more than sealing 16 KiB. */
  #key: KeyObject;
  #records = 0;
  #bytes = 0;

  constructor(key: Uint8Array, limits: RekeyLimits) {
    this.#key = createSecretKey(key);
    this.#limits = limits;
  }

  get key(): KeyObject {
    return this.#key;
  }

  /** Counts a record with so many bytes of content that was sealed or has opened. */
  used(bytes: number): void {
    this.#records++;
    this.#bytes += bytes;
    if (this.#records >= this.#limits.records || this.#bytes >= this.#limits.bytes) {
      const next = hkdfSync('sha256', this.#key, new Uint8Array(), labelBytes('rekey'), NATIVE_KEY_BYTES);
      this.#key = createSecretKey(new Uint8Array(next));
      this.#records = 0;
      this.#bytes = 0;
    }
    this.#view.setUint32(8, this.#records);
  }
}

export interface RecordStreamOptions {
  /** 32 bytes: for what this end sends. */
  sendKey: Uint8Array;
  /** 32 bytes: for what it receives. */
  receiveKey: Uint8Array;
  rekey?: RekeyLimits;
}

/** Seals and opens the records of one path. There is nothing that it lets through in clear. */
export class RecordStream implements FrameCipher {
  readonly overheadBytes = RECORD_TAG_BYTES;
  readonly #send: RecordKey;
  readonly #receive: RecordKey;
  /** For the record that is next: key and counter move on only when it has been used. */
  #cipher: CipherGCM | null = null;
  #decipher: DecipherGCM | null = null;
  #broken: WireError | undefined;

  constructor(options: RecordStreamOptions) {
    const limits = options.rekey ?? REKEY_LIMITS;
    this.#send = new RecordKey(options.sendKey, limits);
    this.#receive = new RecordKey(options.receiveKey, limits);
  }

  seal(plain: Uint8Array): Uint8Array {
    return joinParts(this.sealParts([plain]));
  }

  sealParts(parts: readonly Uint8Array[]): Uint8Array[] {
    const cipher = this.#cipher ?? this.#newCipher();
    this.#cipher = null;
    const sealed: Uint8Array[] = [];
    let length = 0;
    for (const part of parts) {
      sealed.push(cipher.update(part));
      length += part.length;
    }
    cipher.final();
    sealed.push(cipher.getAuthTag());
    this.#send.used(length);
    return sealed;
  }

  open(payload: Uint8Array): Uint8Array {
    if (this.#broken) throw this.#broken;
    const length = payload.length - RECORD_TAG_BYTES;
    const decipher = this.#decipher ?? this.#newDecipher();
    this.#decipher = null;
    try {
      if (length < 0) throw new RangeError('shorter than its tag');
      decipher.setAuthTag(payload.subarray(length));
      const plain = decipher.update(payload.subarray(0, length));
      // Throws where the tag does not fit; until then the content has been seen by nobody.
      decipher.final();
      this.#receive.used(length);
      return new Uint8Array(plain.buffer, plain.byteOffset, plain.length);
    } catch (cause) {
      this.#broken = new WireError('BAD_SEAL', 'an encrypted record does not open', { cause });
      throw this.#broken;
    }
  }

  /** To set a cipher up takes longer than to seal a small record with it. */
  prepare(): void {
    this.#cipher ??= this.#newCipher();
    if (!this.#broken) this.#decipher ??= this.#newDecipher();
  }

  #newCipher(): CipherGCM {
    return createCipheriv('aes-256-gcm', this.#send.key, this.#send.nonce);
  }

  #newDecipher(): DecipherGCM {
    return createDecipheriv('aes-256-gcm', this.#receive.key, this.#receive.nonce, { authTagLength: RECORD_TAG_BYTES });
  }
}
