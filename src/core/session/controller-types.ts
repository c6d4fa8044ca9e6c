import type { Clock } from '../clock.ts';
import type { RandomBytes } from '../crypto/random.ts';
import type { ErrorData } from '../errors.ts';
import type { Link } from '../link.ts';
import type { NativeSecrets } from '../native/contract.ts';
import type { Decoding } from './codecs.ts';
import type {
  CursorShape,
  Display,
  EncodedFrame,
  SessionKind,
  SessionPermissions,
  VideoCodec,
} from './contract.ts';

/** A password as text, or what is kept of it: SHA-256(password ‖ salt of that host) (session §2.4). */
export type PasswordInput = string | { h1: Uint8Array };

/** Options of the viewer (session §3.4); only what is set is sent. */
export interface SessionOptions {
  quality?: 'low' | 'balanced' | 'best';
  /** Percent of the standard bitrate, 10…2000; overrides `quality`. */
  customQuality?: number;
  /** 1…120. */
  fps?: number;
  showRemoteCursor?: boolean;
  disableClipboard?: boolean;
  disableKeyboard?: boolean;
  disableAudio?: boolean;
  lockAfterSessionEnd?: boolean;
}

export interface ControllerSessionOptions {
  /** Carries plain protobuf bytes: already sealed and opened below. */
  link: Link;
  clock: Clock;
  random: RandomBytes;
  /** The dialled id, or `ip[:port]` / `domain:port` of a direct connection (session §2.5). */
  peerId: string;
  myId: string;
  myName: string;
  /** Of this computer: `Windows`, `Linux`, `Mac OS`. */
  platform: string;
  version?: string;
  /** One per window, kept over reconnects (session §9.4). */
  sessionId: bigint;
  kind?: SessionKind;
  /** Target of kind `port-forward`. */
  portForward?: { host: string; port: number };
  password?: PasswordInput;
  /** What the native handshake of the link left; the password is then proven with CPace only. Absent: a stock link. */
  native?: NativeSecrets | null;
  /** Default: those of limits.ts, for links that do not notice by themselves that nothing gets through. */
  sessionTimeouts?: { readonly receiveMs?: number; readonly writeStallMs?: number };
  decoding: Decoding;
  options?: SessionOptions;
  /** Pace the host by acknowledging each frame with `ackVideo()` (session §3.6). */
  videoAck?: boolean;
  /**
   * Kind `port-forward` is authorised: the link carries raw bytes from here on and belongs to the tunnel (§7.4). Kind `tunnel`
   * on a link without channels: its frames, sealed as before, are those of the mux from here on.
   */
  onRawMode?: () => void;
}

/** The host as its PeerInfo describes it (session §2.9). */
export interface RemoteInfo {
  username: string;
  hostname: string;
  platform: string;
  version: string;
  displays: RemoteDisplay[];
  currentDisplay: number;
  /** Offers Ctrl+Alt+Del on Windows. */
  sasEnabled: boolean;
  /** What it can encode besides VP9. */
  encoding: VideoCodec[];
}

export interface RemoteDisplay extends Display {
  /** The pointer is painted into the video. */
  cursorEmbedded: boolean;
}

export interface PasswordNeeded {
  /** `wait-accept`: only a click on the other side helps; `2fa`: call `sendTwoFactor`. */
  reason: 'required' | 'wrong' | 'wait-accept' | '2fa';
  message: string;
  error: ErrorData;
}

export interface ControllerClosed {
  reason: string;
  /** The connection may be tried again without asking (session §9.3). */
  retry: boolean;
  /** Absent when this side closed it. */
  error?: ErrorData;
}

export interface ControllerSessionEvents {
  'password-needed': PasswordNeeded;
  opened: RemoteInfo;
  permission: { name: keyof SessionPermissions; enabled: boolean };
  video: EncodedFrame;
  /** Size or place of one display changed; its decoder starts over with the next key frame. */
  geometry: { display: number; geometry: RemoteDisplay };
  cursor: CursorShape;
  /** Use the shape with this id again; it was given by `cursor` before. */
  'cursor-id': number;
  'cursor-position': { x: number; y: number };
  /** Monitors were added or taken away. */
  displays: RemoteDisplay[];
  clipboard: { text: string };
  chat: { text: string };
  /** Round trip as the host measured it, and its bitrate in bits per second. */
  delay: { rttMs: number; targetBitrate: number };
  'message-box': { type: string; title: string; text: string };
  /** The host proposes another display (follow_current_display). */
  'follow-display': number;
  /** Exactly once, last. */
  closed: ControllerClosed;
}

/** Lock keys as they are on this side. */
export interface Locks {
  caps?: boolean;
  num?: boolean;
}
