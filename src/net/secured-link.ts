import type { Duplex } from 'node:stream';
import type { FrameCipher } from '../core/crypto/frame-cipher.ts';
import { joinParts, type LinkClose, type LinkHandlers, sendParts } from '../core/link.ts';
import { release } from '../core/memory.ts';
import type { NativeState } from '../core/native/contract.ts';
import { rawRefused, sealError } from './handshake-errors.ts';
import { DelegatedLink } from './delegated-link.ts';
import type { NetLink } from './net-link.ts';

/** A link behind the key exchange: frames are plain protobuf bytes for the user and sealed on the wire. */
export interface SecuredLink extends NetLink {
  readonly encrypted: boolean;
  /**
   * The other end proved to hold its signing key: to a controller the one that the server vouches for, to a host (native links
   * only) the one that `native.peer` names.
   */
  readonly peerVerified: boolean;
  /** That key, 32 bytes; null where nothing was proven. */
  readonly peerKey: Uint8Array | null;
  /** What the native handshake left; null on the wire of stock peers. A native link has no way into raw bytes. */
  readonly native: NativeState | null;
}

/** After a frame the cipher is made ready for the next one, but not in the middle of what the frame is part of. */
const PREPARE_AFTER_MS = 5;
/** Sealed payloads up to this size are joined with their tag: a copy is cheaper than one more piece for the link below. */
const JOIN_BELOW = 4096;

export interface SecuredState {
  /** Absent: frames go as they are. */
  cipher?: FrameCipher;
  /** The signing key that the other end proved to hold. */
  peerKey?: Uint8Array | null;
  native?: NativeState;
  /** Answers true for a first frame that is to be dropped. */
  skipFirst?: ((payload: Uint8Array) => boolean) | undefined;
}

/**
 * Seals and opens on top of another link. Takes the link's handlers over at once, and holds it paused until it has
 * handlers of its own, so that nothing is decrypted before somebody takes it and the raw switch finds the bytes below.
 */
export class SecuredNetLink extends DelegatedLink implements SecuredLink {
  readonly #cipher: FrameCipher | undefined;
  readonly peerKey: Uint8Array | null;
  readonly native: NativeState | null;
  #skipFirst: ((payload: Uint8Array) => boolean) | undefined;
  #handlers: LinkHandlers | undefined;
  #paused = false;
  #close: LinkClose | undefined;
  #preparing = false;

  constructor(link: NetLink, state: SecuredState) {
    super(link);
    this.#cipher = state.cipher;
    this.peerKey = state.peerKey ?? null;
    this.native = state.native ?? null;
    this.#skipFirst = state.skipFirst;
    link.pause();
    link.setHandlers({
      onFrame: (payload) => this.#onFrame(payload),
      // What a cipher opens has memory of its own.
      borrows: state.cipher !== undefined,
      onDrain: () => this.#handlers?.onDrain?.(),
      onClose: (close) => {
        if (this.#handlers) this.#handlers.onClose(close);
        else this.#close = close;
      },
    });
  }

  get peerVerified(): boolean {
    return this.peerKey !== null;
  }
  get encrypted(): boolean {
    return this.#cipher !== undefined;
  }

  setHandlers(handlers: LinkHandlers): void {
    const first = !this.#handlers;
    this.#handlers = handlers;
    const close = this.#close;
    if (close) {
      this.#close = undefined;
      queueMicrotask(() => this.#handlers?.onClose(close));
    } else if (first && !this.#paused) this.below.resume();
  }

  override send(payload: Uint8Array): boolean {
    // A frame that cannot leave must not use up a nonce, and a closed link needs no cipher.
    if (this.below.closed) return false;
    const cipher = this.#cipher;
    if (!cipher) return this.below.send(payload);
    this.#prepareSoon(cipher);
    if (cipher.sealParts && payload.length > JOIN_BELOW) return sendParts(this.below, cipher.sealParts([payload]), true);
    return this.below.send(cipher.seal(payload));
  }

  sendParts(parts: readonly Uint8Array[], owned = false): boolean {
    if (this.below.closed) return false;
    const cipher = this.#cipher;
    if (!cipher) return sendParts(this.below, parts, owned);
    this.#prepareSoon(cipher);
    const sealed = cipher.sealParts?.(parts) ?? [cipher.seal(joinParts(parts))];
    if (owned) for (const part of parts) release(part);
    return sendParts(this.below, sealed, true);
  }

  override setMaxPayload(bytes: number): void {
    this.below.setMaxPayload(this.#cipher ? bytes + this.#cipher.overheadBytes : bytes);
  }

  override pause(): void {
    this.#paused = true;
    this.below.pause();
  }

  override resume(): void {
    this.#paused = false;
    if (this.#handlers) this.below.resume();
  }

  /** Encryption ends with the framing (session §7.4): the raw stream is as readable as the network is. */
  takeRaw(): Duplex {
    // What would follow in clear here goes over virtual streams instead.
    if (this.native) throw rawRefused();
    return this.below.takeRaw();
  }

  #onFrame(payload: Uint8Array): void {
    const skip = this.#skipFirst;
    this.#skipFirst = undefined;
    if (skip?.(payload)) return;
    let plain = payload;
    if (this.#cipher)
      try {
        plain = this.#cipher.open(payload);
        this.#prepareSoon(this.#cipher);
      } catch (error) {
        this.below.destroy(sealError(error, this.below.remoteAddress));
        return;
      }
    this.#handlers?.onFrame(plain);
  }

  #prepareSoon(cipher: FrameCipher): void {
    if (!cipher.prepare || this.#preparing) return;
    this.#preparing = true;
    setTimeout(() => {
      this.#preparing = false;
      if (!this.closed) cipher.prepare?.();
    }, PREPARE_AFTER_MS).unref();
  }
}
