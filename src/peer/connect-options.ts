/** What a connection to another computer is asked for with, and what comes of it. */
import type { NativeIdentity } from '../core/native/handshake.ts';
import type { SessionTicket } from '../core/native/key-schedule.ts';
import type { hbb } from '../core/wire/index.ts';
import type { PinnedHost, SecuredLink } from '../net/index.ts';
import type { NatType, ToldByServer } from './nat-test.ts';
import type { Attempt, ConnectionPath, FurtherPaths } from './race.ts';
import type { MeasuredRelay } from './relay-latency.ts';
import type { ServerAddress } from './server-address.ts';

export const PATH_CHOICES = ['auto', 'lan', 'tcp', 'udp', 'ipv6', 'relay'] as const;
export type PathChoice = (typeof PATH_CHOICES)[number];

export interface ConnectStep {
  readonly step: 'lookup' | 'punch' | 'relay' | 'handshake' | 'login';
  readonly detail: string;
}

export interface ConnectPeerOptions {
  readonly server: ServerAddress | null;
  readonly peerId: string;
  readonly nat: NatType;
  /** A test of the NAT that is under way already, for this server. */
  readonly natProbe?: Promise<NatType>;
  /** How far this server's relays are, as far as that is known by now. */
  readonly relays?: () => readonly MeasuredRelay[];
  /** The server's own relay takes datagrams, too. */
  readonly relayUdp?: boolean;
  readonly path: PathChoice;
  readonly connType: hbb.ConnType;
  /** The user allowed an unencrypted connection to this peer. */
  readonly allowPlaintext: boolean;
  /** Nothing less than a native link. */
  readonly nativeOnly: boolean;
  /** The fingerprint that the peer's key must have. */
  readonly fingerprint?: string;
  /** What is remembered of this peer. */
  readonly pinned: PinnedHost | null;
  /** Who we prove to be on a native link; null: only the stock key exchange. */
  readonly identity: NativeIdentity | null;
  /** The paths are to join this session instead of making a new one. */
  readonly join?: SessionTicket;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ConnectStep) => void;
  /** The server signs with a newer key than the one that is known here. */
  readonly onNewerKey?: () => void;
  /** The NAT was not known and has been tested beside the connection. */
  readonly onNat?: (nat: NatType) => void;
  /** What the server said with that test. */
  readonly onTold?: (told: ToldByServer) => void;
}

export interface PeerConnection {
  readonly link: SecuredLink;
  readonly path: ConnectionPath;
  readonly attempts: readonly Attempt[];
  readonly elapsedMs: number;
  /** Null where one path is all there will be: stock peers, and addresses dialled directly. */
  readonly further: FurtherPaths | null;
}
