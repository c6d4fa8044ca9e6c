/**
 * The native link between two LiteDesk peers: what its parts promise each other.
 *
 *     path (NetLink) → native handshake → SecuredLink with `native` set → MultipathLink over all paths → channels
 *
 * A *path* is one connection by one way (relay, LAN, punched …), sealed on its own: every path runs the handshake with
 * fresh keys. The first one makes the session; later ones join it by proof of its secret. The `MultipathLink` numbers the
 * frames of the session, carries them over the best path and loses none when that changes.
 */
import type { Link } from '../link.ts';

/** What travels over one link, apart from each other. */
export const CHANNEL = {
  /** Messages of the session (proto/message.proto), as with stock peers. */
  session: 0,
  /** Virtual streams (core/mux). */
  streams: 1,
  /** Between the two path managers: candidates and what becomes of them. */
  paths: 2,
} as const;

export type ChannelId = (typeof CHANNEL)[keyof typeof CHANNEL];

/** By which way a path goes; as `path` of docs/cli.md. */
export type PathKind = 'lan' | 'tcp' | 'udp' | 'ipv6' | 'mapped' | 'direct' | 'relay';

/** What a native handshake leaves for the layers above it. */
export interface NativeSecrets {
  /** 16 bytes; the same for all paths of a session. */
  readonly sessionId: Uint8Array;
  /** 32 bytes, known to the two ends alone: proves the right to join a further path. */
  readonly sessionSecret: Uint8Array;
  /** 32 bytes: the hash of this path's whole handshake. Password proof and signatures are bound to it. */
  readonly transcript: Uint8Array;
  /** This path joined a session that was there already. */
  readonly joined: boolean;
}

/** A computer as it proved itself with its signing key, or as it only says it is. */
export interface PeerKey {
  readonly id: string;
  /** Ed25519, 32 bytes. */
  readonly key: Uint8Array;
}

/** What a link has once its native handshake is done. */
export interface NativeState extends NativeSecrets {
  /** Who the other end proved to be: the host always, a controller unless it stayed anonymous. */
  readonly peer: PeerKey | null;
}

export interface PathInfo {
  readonly id: number;
  readonly kind: PathKind;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** Smoothed round trip in milliseconds; null before the first measurement. */
  readonly rttMs: number | null;
  readonly active: boolean;
}

/**
 * The session has another path now, and that path has carried something. `pauseMs`: how long something that was sent waited
 * without any acknowledgement before; 0 when nothing waited.
 */
export interface PathChange {
  readonly from: PathKind | null;
  readonly to: PathKind;
  readonly pauseMs: number;
  readonly reason: string;
}

/**
 * `searching`: every path is gone or silent, and what is sent waits. The owner looks for another path meanwhile; the link
 * ends by itself when none was added for too long.
 */
export type LinkState = 'live' | 'searching' | 'closed';

/** A link of several paths. As a `Link` it is its session channel, so that sessions need not know. */
export interface MultipathChannels extends Link {
  readonly paths: readonly PathInfo[];
  readonly state: LinkState;
  /**
   * One of the independent ordered frame streams; the same object each time. A reader that pauses stops the sender of this
   * channel alone. Closing the session channel ends everything; closing another one ends it for this user only.
   */
  channel(id: ChannelId): Link;
  /** Takes over a path whose handshake joined this session. */
  addPath(link: Link, kind: PathKind): void;
  /** Gives a path up, for the reason that is shown; its unacknowledged frames go by the others. */
  dropPath(id: number, reason: string): void;
  /** Uses that path as long as it lives, whatever its score; null: the best one again. */
  preferPath(id: number | null): void;
  /** Both return the function that takes the listener off again. */
  onStateChange(listener: (state: LinkState) => void): () => void;
  onPathChange(listener: (change: PathChange) => void): () => void;
}
