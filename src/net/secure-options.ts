import type { Clock } from '../core/clock.ts';
import type { RandomBytes } from '../core/crypto/random.ts';
import type { NativeIdentity } from '../core/native/handshake.ts';
import type { SessionTicket } from '../core/native/key-schedule.ts';

export interface SecureCommonOptions {
  /** Goes on in clear where the protocol has it so. Without it every such case is an error and the link is destroyed. */
  allowPlaintext: boolean;
  timeoutMs?: number;
  signal?: AbortSignal;
  clock?: Clock;
  /**
   * Source of the ephemeral secrets, in the order: box secret key (32), session key (32, controller only); with a native link
   * instead of these for a controller, for a host after the first: X25519 secret key (32), nonce (32).
   */
  random?: RandomBytes;
}

/** What is remembered of a host (peer/pins.ts). */
export interface PinnedHost {
  /** Ed25519, 32 bytes: no other key is this computer, whatever the server says. */
  readonly key: Uint8Array;
  /** It spoke the native link before, and nothing less is taken from it. */
  readonly native: boolean;
}

export interface SecureControllerOptions extends SecureCommonOptions {
  /** The id that was asked for. */
  peerId: string;
  /** The host's signing key (32 bytes) as the server vouched for it, or null when it gave none that verifies. */
  hostKey: Uint8Array | null;
  pinned?: PinnedHost | null;
  /** The key must have this fingerprint (core/crypto/fingerprint.ts), as somebody read it off the host. */
  fingerprint?: string;
  /** Takes nothing less than the native link, also from a host that is met for the first time. */
  nativeOnly?: boolean;
  /** Takes the native link where the host offers it. Absent: always the stock key exchange. */
  native?: {
    /** Null stays anonymous. */
    identity: NativeIdentity | null;
    /** The link is to be one more path of this session. */
    join?: SessionTicket;
  };
}

export interface SecureHostOptions extends SecureCommonOptions {
  /** Our own id. */
  id: string;
  /** Our Ed25519 secret key, 64 bytes. */
  signSecretKey: Uint8Array;
  /** The controller holds another key of ours than the one we sign with: register the key again (rendezvous §11.2). */
  onKeyDoubted?: () => void;
  /** Offers the native link beside the stock key exchange. */
  native?: {
    /** The secret of a session that takes further paths, by its 16 bytes of id; null: no such session. */
    findSession(sessionId: Uint8Array): Uint8Array | null;
  };
}
