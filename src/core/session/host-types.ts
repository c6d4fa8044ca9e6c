import type { Clock } from '../clock.ts';
import type { RandomBytes } from '../crypto/random.ts';
import type { ErrorData } from '../errors.ts';
import type { Link } from '../link.ts';
import type { NativeState } from '../native/contract.ts';
import type { HostAuthenticator } from './authenticator.ts';
import type { DesktopHost, PlatformName, SessionKind, SessionPermissions } from './contract.ts';

export interface HostInfo {
  hostname: string;
  username: string;
  platform: PlatformName;
  /** Announced version; default the one of the protocol level that is implemented. */
  version?: string;
}

/** A tunnel target that is connected. `start` is called once the link carries raw bytes, `cancel` when it never will. */
export interface PortForwardTarget {
  start(): void;
  cancel(): void;
}

/** Overrides of the time limits in milliseconds; what is absent has the value of limits.ts. */
export interface SessionTimeouts {
  receiveMs?: number;
  writeStallMs?: number;
  unauthorisedMs?: number;
}

/** Thrown by `onPortForward` when the rules of this computer do not allow the target. */
export class PortForwardRefused extends Error {
  override readonly name = 'PortForwardRefused';

  constructor(target: string) {
    super(`no rule allows ${target}`);
  }
}

export interface HostSessionOptions {
  /** Carries plain protobuf bytes: already sealed and opened below. */
  link: Link;
  clock: Clock;
  random: RandomBytes;
  ownId: string;
  authenticator: HostAuthenticator;
  permissions: SessionPermissions;
  /** Null on a machine without a display: a session without picture. */
  desktop: DesktopHost | null;
  hostInfo: HostInfo;
  /** What the native handshake of the link left; the password is then proven with CPace only. Absent: a stock link. */
  native?: NativeState | null;
  /** Where the peer is, for attempt limits; `ip` or `ip:port`. Default: the link's. */
  remoteAddress?: string;
  sessionTimeouts?: SessionTimeouts;
  /** Virtual streams are taken, and sessions that consist of nothing else; the owner attaches a mux on `opened`. */
  streams?: boolean;
  /**
   * Connects a tunnel target (limit 3 s) after the login was granted; throws when it cannot be reached. Absent: tunnels
   * are refused.
   */
  onPortForward?: (host: string, port: number, signal: AbortSignal) => Promise<PortForwardTarget>;
}

export interface PeerIdentity {
  peerId: string;
  name: string;
  platform: string;
  version: string;
  kind: SessionKind;
  /** It proved with its signing key that it is `peerId`, which native links alone can. */
  verified: boolean;
}

export interface HostClosed {
  /** Text of close_reason, or what happened, in English. */
  reason: string;
  /** Who ended it. */
  by: 'peer' | 'local' | 'timeout' | 'error' | 'refused';
  error?: ErrorData;
}

export interface HostSessionEvents {
  /** Every login request that was judged; `error` is the text sent, absent when nothing was sent or it succeeded. */
  'login-attempt': PeerIdentity & { result: 'authorised' | 'asking' | 'waiting' | 'refused'; error?: string };
  /** Somebody must click Accept or Dismiss; at most once per connection. */
  ask: PeerIdentity;
  opened: PeerIdentity;
  chat: { text: string };
  /** The desktop could not be captured; the session goes on without picture. */
  'video-error': ErrorData;
  /** The link carries raw bytes from here on; it belongs to the tunnel. */
  raw: { host: string; port: number };
  /** Exactly once, last. */
  closed: HostClosed;
}

export interface HostSessionStats {
  /** Last measured round trip, or null. */
  rttMs: number | null;
  fps: number;
  bitrateBps: number;
  codec: string;
  framesSent: number;
  framesDropped: number;
  keyFramesSent: number;
  videoBytesSent: number;
}
