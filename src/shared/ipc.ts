/**
 * The contract between the processes of the app. The renderer sees exactly `window.litedesk: LiteDeskApi`; src/preload
 * implements it, src/main answers it, and both ends validate with the zod schemas of src/shared/schemas.ts.
 */
import type { ErrorData } from '../core/errors.ts';
import type { Fact } from '../core/nat/observation.ts';
import type { NatFactName, NatVerdict } from '../core/nat/report.ts';
import type { SessionRoute } from './route.ts';
import type { AccessRule, Tunnel, TunnelSecrets } from './tunnels.ts';
import type { TunnelsState } from './tunnels-state.ts';

export type Language = 'en' | 'zh-CN' | 'de';
export type { NatFactName, NatVerdict } from '../core/nat/report.ts';
export type NatLabel = 'unknown' | 'asymmetric' | 'symmetric';

/** Why this computer can or cannot be found; the status line is this and nothing else. */
export type RegistrationState =
  | { state: 'no-server' }
  | { state: 'off' }
  | { state: 'registering'; server: string; attempt: number }
  | { state: 'ready'; server: string; transport: 'udp' | 'tcp'; latencyMs: number | null }
  | { state: 'offline'; server: string; error: ErrorData; retryInMs: number };

export type ConnectionPath = 'lan' | 'tcp' | 'udp' | 'ipv6' | 'mapped' | 'direct' | 'relay';

/** Somebody is connected to this computer, or asks to be. */
export interface IncomingSession {
  sessionId: string;
  peerId: string;
  peerName: string;
  peerPlatform: string;
  kind: 'desktop' | 'file-transfer' | 'port-forward' | 'view-camera' | 'terminal' | 'tunnel';
  path: ConnectionPath;
  remoteAddress: string;
  encrypted: boolean;
  /** `known` by its key under this ID, `new` with a key, `unproven` (it only says so), or `changed`: the ID has another key. */
  standing: 'known' | 'new' | 'unproven' | 'changed';
  /** `asking`: waits for a click on Accept. */
  state: 'asking' | 'open';
  sinceMs: number;
}

export interface RecentPeer {
  id: string;
  name: string;
  platform: string;
  lastUsedMs: number;
  /** A password proof is stored for it. */
  remembered: boolean;
}

export interface LanPeer {
  id: string;
  name: string;
  platform: string;
  address: string;
}

export interface Settings {
  /** `host[:port]`, empty for none. */
  server: string;
  /** base64 Ed25519 public key of the server. */
  key: string;
  language: Language;
  shareEnabled: boolean;
  /** True when a permanent password is set; the password itself never leaves the main process. */
  hasPermanentPassword: boolean;
  approveMode: 'password' | 'click' | 'both';
  directAccess: boolean;
  directAccessPort: number;
  lanDiscovery: boolean;
  portMapping: boolean;
  /** Peers for which the user allowed an unencrypted connection. */
  plaintextPeers: string[];
}

export type SettingsChange = Partial<Omit<Settings, 'hasPermanentPassword'>> & {
  /** Sets it; empty string removes it. */
  permanentPassword?: string;
  /** A line `litedesk://host[:port]?key=…#checksum`; fills server and key. */
  invitation?: string;
};

export interface HomeState {
  /** Digits or custom id; empty until known. */
  id: string;
  oneTimePassword: string;
  nat: NatLabel;
  /** What a whole test of the network said; null while there is none. */
  natVerdict: NatVerdict | null;
  /** The facts behind it; null while there are none. */
  natFacts: Readonly<Partial<Record<NatFactName, Fact>>> | null;
  /** Of this computer's key, as others compare it. */
  fingerprint: string;
  registration: RegistrationState;
  settings: Settings;
  incoming: IncomingSession[];
  recentPeers: RecentPeer[];
  /** Set while this app hosts a server for the LAN. */
  hostedServer: { address: string; key: string; invitation: string } | null;
  version: string;
}

/** Stages a connect attempt goes through, shown while it runs. */
export interface ConnectProgress {
  step: 'lookup' | 'punch' | 'relay' | 'handshake' | 'login';
  detail: string;
}

/** The state of one session window. */
export type SessionState =
  | { state: 'connecting'; peerId: string; progress: ConnectProgress }
  | { state: 'password'; peerId: string; reason: 'required' | 'wrong' | 'waiting-accept' | 'two-factor'; message: string }
  | { state: 'plaintext-question'; peerId: string; error: ErrorData }
  /** The computer is not the one that was known: fingerprints of both keys, or '' for `offered` where it only offers less. */
  | { state: 'key-question'; peerId: string; error: ErrorData; known: string; offered: string }
  | { state: 'open'; peerId: string; info: SessionInfo }
  | { state: 'reconnecting'; peerId: string; error: ErrorData; retryInMs: number }
  | { state: 'closed'; peerId: string; error: ErrorData | null; reason: string };

export interface SessionDisplay {
  x: number;
  y: number;
  width: number;
  height: number;
  name: string;
}

export interface SessionInfo {
  hostname: string;
  username: string;
  platform: string;
  displays: SessionDisplay[];
  currentDisplay: number;
  path: ConnectionPath;
  encrypted: boolean;
  peerVerified: boolean;
  keyboardAllowed: boolean;
}

export interface SessionStats {
  path: ConnectionPath;
  rttMs: number | null;
  codec: string;
  fps: number;
  bitrateBps: number;
}

/** What goes over the session window's MessagePort, main → renderer, with `data` transferred. */
export type SessionPortMessage =
  | { type: 'video'; display: number; codec: 'vp8' | 'vp9' | 'av1' | 'h264' | 'h265'; key: boolean; data: ArrayBuffer }
  | { type: 'geometry'; display: number; geometry: SessionDisplay }
  | { type: 'cursor'; id: number; hotX: number; hotY: number; width: number; height: number; rgba: ArrayBuffer }
  | { type: 'cursor-id'; id: number }
  | { type: 'cursor-position'; x: number; y: number };

/** renderer → main over the same port. */
export type SessionPortCommand =
  | { type: 'mouse'; kind: 'move'; x: number; y: number }
  | { type: 'mouse'; kind: 'button'; button: 'left' | 'right' | 'middle' | 'back' | 'forward'; down: boolean; x: number; y: number }
  | { type: 'mouse'; kind: 'wheel'; dx: number; dy: number; fine: boolean }
  /** `code` and `key` as in DOM KeyboardEvent. */
  | { type: 'key'; code: string; key: string; down: boolean; caps: boolean; num: boolean }
  | { type: 'text'; text: string }
  | { type: 'release-keys' }
  | { type: 'refresh'; display: number }
  | { type: 'decoding'; vp8: boolean; vp9: boolean; av1: boolean; h264: boolean }
  | { type: 'shown'; display: number; fps: number };

/** Answers to a failed command: errors cross as data, never as exceptions with stacks. */
export type Result<T> = { ok: true; value: T } | { ok: false; error: ErrorData };

export interface LiteDeskApi {
  /** Which window this renderer is. */
  readonly window:
    | { kind: 'home' }
    | { kind: 'session'; sessionId: string }
    | { kind: 'accept'; sessionId: string }
    | { kind: 'host-bar' };

  // home
  getHome(): Promise<Result<HomeState>>;
  onHome(listener: (state: HomeState) => void): () => void;
  copyText(text: string): Promise<Result<null>>;
  renewPassword(): Promise<Result<null>>;
  changeSettings(change: SettingsChange): Promise<Result<Settings>>;
  /** Opens a session window; the answer is its id. */
  connect(target: string): Promise<Result<string>>;
  forgetPeer(id: string): Promise<Result<null>>;
  discoverLan(): Promise<Result<LanPeer[]>>;
  hostServer(): Promise<Result<null>>;
  stopHostedServer(): Promise<Result<null>>;
  /** Ends the program, which outlives its windows. */
  quit(): Promise<Result<null>>;

  // tunnels
  getTunnels(): Promise<Result<TunnelsState>>;
  onTunnels(listener: (state: TunnelsState) => void): () => void;
  /** Adds it, or replaces the one of that id; one that runs is started again. */
  saveTunnel(tunnel: Tunnel, secrets: TunnelSecrets): Promise<Result<null>>;
  /** Ends and forgets it; `restoreTunnel` brings back what was removed last. */
  removeTunnel(id: string): Promise<Result<null>>;
  restoreTunnel(id: string): Promise<Result<null>>;
  /** Starts or stops it, now and when the app starts. */
  runTunnel(id: string, run: boolean): Promise<Result<null>>;
  /** Starts the viewer for a tunnel of kind `rdp` or `vnc`. */
  openViewer(id: string): Promise<Result<null>>;
  saveRule(rule: AccessRule): Promise<Result<null>>;
  removeRule(id: string): Promise<Result<null>>;

  // incoming sessions (accept window and host bar)
  answerIncoming(sessionId: string, accept: boolean): Promise<Result<null>>;
  closeIncoming(sessionId: string): Promise<Result<null>>;

  // session window
  getSession(sessionId: string): Promise<Result<SessionState>>;
  onSession(sessionId: string, listener: (state: SessionState) => void): () => void;
  onStats(sessionId: string, listener: (stats: SessionStats) => void): () => void;
  getRoute(sessionId: string): Promise<Result<SessionRoute | null>>;
  onRoute(sessionId: string, listener: (route: SessionRoute) => void): () => void;
  givePassword(sessionId: string, password: string, remember: boolean): Promise<Result<null>>;
  /** The code of the second factor. */
  giveCode(sessionId: string, code: string): Promise<Result<null>>;
  allowPlaintext(sessionId: string): Promise<Result<null>>;
  /** The user compared the keys: from now on this computer is the one that was offered. */
  trustKey(sessionId: string): Promise<Result<null>>;
  switchDisplay(sessionId: string, display: number): Promise<Result<null>>;
  ctrlAltDel(sessionId: string): Promise<Result<null>>;
  setFullScreen(sessionId: string, on: boolean): Promise<Result<null>>;
  closeSession(sessionId: string): Promise<Result<null>>;
  /** The port for SessionPortMessage / SessionPortCommand; asked for once the window is ready. */
  openSessionPort(sessionId: string, onMessage: (message: SessionPortMessage) => void): Promise<(command: SessionPortCommand) => void>;
}
