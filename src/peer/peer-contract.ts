/** What a peer takes and gives: its options, events, and what is said of sessions. */
import type { ErrorData } from '../core/errors.ts';
import type { Link } from '../core/link.ts';
import type { PathChange } from '../core/native/contract.ts';
import type { ControllerSession } from '../core/session/index.ts';
import type { DesktopHost, SessionKind, VideoCodec } from '../core/session/contract.ts';
import type { SecuredLink } from '../net/index.ts';
import type { IncomingPath } from './acceptor.ts';
import type { ConnectStep, PathChoice } from './connect-options.ts';
import type { NatType } from './nat-test.ts';
import type { LivePaths } from './outgoing-link.ts';
import type { ControllerStanding } from './pins.ts';
import type { Attempt } from './race.ts';
import type { ServerAddress } from './server-address.ts';
import type { StreamAudit } from './tunnel/dialer.ts';
import type { StreamViolation } from './tunnel/tunnel-host.ts';
import type { TunnelRule } from './tunnel/rule-text.ts';

export interface PeerOptions {
  readonly dataDir: string;
  /** This machine's screen and input; null where there is none. */
  readonly desktop: DesktopHost | null;
  /** What the command line says; it wins over the stored settings and is not stored. */
  readonly overrides?: {
    readonly server?: ServerAddress;
    readonly permanentPassword?: string;
    readonly share?: boolean;
    readonly portMapping?: boolean;
    /** What others may reach through this computer. */
    readonly tunnelRules?: readonly TunnelRule[];
  };
  /** Tests the NAT of the server in `overrides` while the rest is loaded, for a process that will only connect. */
  readonly probeNat?: boolean;
  /** One line of diagnosis; never contains secrets. */
  readonly log?: (line: string, level?: 'info' | 'debug') => void;
}

export interface IncomingInfo {
  readonly sessionId: string;
  readonly peerId: string;
  readonly peerName: string;
  readonly peerPlatform: string;
  readonly kind: SessionKind;
  readonly path: IncomingPath;
  readonly remoteAddress: string;
  readonly encrypted: boolean;
  /** Who it is, as far as one can know. */
  readonly standing: ControllerStanding;
  readonly state: 'asking' | 'open';
  readonly sinceMs: number;
}

export interface PeerEvents {
  /** Anything shown on the home screen changed. */
  changed: void;
  registered: { id: string; natType: NatType; server: string };
  offline: ErrorData;
  ask: IncomingInfo;
  'session-opened': IncomingInfo;
  /** A stream through this computer was refused, or is over. */
  'tunnel-stream': StreamAudit;
  /** A peer that is signed in here broke the rules of virtual streams. */
  'tunnel-violation': StreamViolation;
  /** A session that others have with this computer goes another way. */
  'path-changed': { sessionId: string } & PathChange;
  'session-closed': { sessionId: string; peerId: string; reason: string };
}

export interface ConnectOptions {
  readonly signal: AbortSignal;
  readonly path?: PathChoice;
  readonly password?: string | undefined;
  /** h1 of session §2.4 in hex, as remembered for this peer. */
  readonly passwordHash?: string | undefined;
  readonly allowPlaintext?: boolean;
  /** Only LiteDesk hosts, over native links: no password is proven in the way of stock links, which can be guessed with. */
  readonly nativeOnly?: boolean;
  /** The host's key must have this fingerprint, as `litedesk pins` shows it there. */
  readonly fingerprint?: string;
  /** Default `desktop`. */
  readonly kind?: 'desktop' | 'tunnel' | 'port-forward';
  /** Target of kind `port-forward`. */
  readonly portForward?: { host: string; port: number };
  /** The link belongs to the tunnel from here on (kinds `tunnel` and `port-forward`). */
  readonly onRawMode?: () => void;
  /** False: a session without picture. */
  readonly video?: boolean;
  readonly decoding?: Partial<Record<VideoCodec, boolean>>;
  /** Kept over reconnects of one window (session §9.4). */
  readonly sessionId?: bigint;
  readonly onProgress?: (progress: ConnectStep) => void;
}

/** A connection that stands. The way that its session takes may change while it runs. */
export interface Connected extends LivePaths {
  readonly session: ControllerSession;
  /** What carries it: the link over several paths between native peers. */
  readonly link: Link;
  /** The connection that it began with; of a stock peer it can become a raw stream. */
  readonly firstLink: SecuredLink;
  readonly peerId: string;
  readonly encrypted: boolean;
  readonly peerVerified: boolean;
  readonly elapsedMs: number;
  /** All that were tried so far; grows while others are looked for. */
  readonly attempts: readonly Attempt[];
}
