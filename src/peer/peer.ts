/**
 * One peer: this computer as others find it, and its way to others. The app and the command line are both thin layers
 * over this class; nothing here knows about windows.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { fingerprint, passwordHash } from '../core/crypto/index.ts';
import { Emitter } from '../core/emitter.ts';
import type { ErrorData } from '../core/errors.ts';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import type { Link } from '../core/link.ts';
import type { PathChange } from '../core/native/contract.ts';
import type { MultipathLink } from '../core/native/multipath.ts';
import { DARK_MS } from '../core/native/multipath-limits.ts';
import { ControllerSession, HostAuthenticator, HostSession, streamsLink, WATCHED_BY_LINK } from '../core/session/index.ts';
import type { HostClosed, PeerIdentity } from '../core/session/index.ts';
import type { DesktopHost, PlatformName, SessionKind, SessionPermissions, VideoCodec } from '../core/session/contract.ts';
import { hbb } from '../core/wire/index.ts';
import { discoverLan, formatHostPort, LanDiscoveryResponder, plainSecured, secureAsController, secureAsHost, TcpLink } from '../net/index.ts';
import type { LanPeerInfo, SecuredLink } from '../net/index.ts';
import type { TunnelRule } from './tunnel/rule-text.ts';
import { PortMapper } from '../net/portmap/index.ts';
import { AdmissionGate } from './admission.ts';
import { Acceptor } from './acceptor.ts';
import type { IncomingLink, IncomingPath } from './acceptor.ts';
import { connectAddress } from './connect-address.ts';
import type { ConnectPeerOptions, ConnectStep, PathChoice, PeerConnection } from './connect-options.ts';
import { connectPeer } from './connector.ts';
import { keyMismatch, noServer } from './errors.ts';
import { IdentityStore } from './identity.ts';
import { KnownPeers } from './known-peers.ts';
import { Mediator } from './mediator.ts';
import type { MediatorState } from './mediator.ts';
import { OfferedServices } from './publish/offered-services.ts';
import { Publisher } from './publish/publisher.ts';
import type { ServiceSpec } from './publish/service-spec.ts';
import { registered } from './registered.ts';
import { probeNat } from './nat-test.ts';
import { searchPaths } from './native-paths.ts';
import { NativeSessions } from './native-sessions.ts';
import { asAttempt } from './path-record.ts';
import type { NatType } from './nat-test.ts';
import type { MeasuredRelay } from './relay-latency.ts';
import { OutgoingLink } from './outgoing-link.ts';
import type { LivePaths } from './outgoing-link.ts';
import type { Attempt } from './race.ts';
import { type ControllerStanding, PinStore } from './pins.ts';
import { formatServer, parseServer } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';
import { followServerKey } from './server-key.ts';
import { SettingsStore } from './settings.ts';
import type { PeerSettings } from './settings.ts';
import { parseTarget } from './target.ts';
import type { StreamAudit } from './tunnel/dialer.ts';
import { TunnelHost } from './tunnel/tunnel-host.ts';
import { warmUp } from './warm-up.ts';
import { WIRE_VERSION } from './version.ts';

/** Sessions that may exist at once, logged in or not; each holds a socket and buffers. */
const MAX_INCOMING = 64;
/** Changes of server keys that are remembered; each server has a few in a lifetime. */
const MAX_MOVED_KEYS = 50;
const HEX_HASH_BYTES = 64;
/** After a pause of this length, in milliseconds, a session's picture is sent anew. */
const RESUME_MS = 1_000;

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
  readonly log?: (line: string) => void;
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

interface PeerEvents {
  /** Anything shown on the home screen changed. */
  changed: void;
  registered: { id: string; natType: NatType; server: string };
  offline: ErrorData;
  ask: IncomingInfo;
  'session-opened': IncomingInfo;
  /** A stream through this computer was refused, or is over. */
  'tunnel-stream': StreamAudit;
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

interface Incoming {
  info: IncomingInfo;
  readonly session: HostSession;
}

/** What is said of an end for which no reason was given. */
const CLOSED_BY: Record<HostClosed['by'], string> = {
  peer: 'closed by the controller',
  local: 'closed here',
  timeout: 'timeout',
  error: 'the link broke',
  refused: 'refused',
};

const PLATFORMS: Partial<Record<NodeJS.Platform, PlatformName>> = { win32: 'Windows', darwin: 'Mac OS' };

export class Peer extends Emitter<PeerEvents> {
  readonly #options: PeerOptions;
  readonly #identity: IdentityStore;
  readonly #settings: SettingsStore;
  readonly #pins: PinStore;
  readonly #known: KnownPeers;
  readonly #authenticator: HostAuthenticator;
  readonly #incoming = new Map<string, Incoming>();
  readonly #nativeSessions = new NativeSessions();
  readonly #gate = new AdmissionGate();
  readonly #outgoing = new Map<ControllerSession, MultipathLink | null>();
  readonly #offered = new OfferedServices();
  readonly #tunnels = new TunnelHost({
    audit: (line) => this.emit('tunnel-stream', line),
    log: (line) => this.#log(line),
    openService: (name, stream) => this.#offered.take(name, stream),
  });
  #mediator: Mediator | null = null;
  #acceptor: Acceptor | null = null;
  #directServer: Server | null = null;
  #lan: LanDiscoveryResponder | null = null;
  #portMapper: PortMapper | null = null;
  #started = false;
  #following = false;
  #stopping = new AbortController();
  #natProbe: Promise<NatType> | null = null;
  #probedRelays: () => readonly MeasuredRelay[] = () => [];
  #probedNat: NatType = 'unknown';
  #stopProbe: () => void = () => {};

  private constructor(options: PeerOptions) {
    super();
    this.#options = options;
    const random = (n: number): Uint8Array => randomBytes(n);
    this.#identity = new IdentityStore(options.dataDir, random);
    this.#settings = new SettingsStore(options.dataDir);
    this.#pins = new PinStore(options.dataDir, Date.now);
    this.#known = new KnownPeers(this.#pins, (line) => this.#log(line));
    this.#authenticator = new HostAuthenticator({ clock: systemClock, random, salt: this.#identity.current.salt });
    this.#authenticator.on('change', () => this.emit('changed', undefined));
    this.#applyPasswords();
    this.#applyTunnelRules();
  }

  /** Reads or makes the identity of the data folder. Errors: IDENTITY_UNREADABLE, file system errors. */
  static async open(options: PeerOptions): Promise<Peer> {
    const server = options.overrides?.server;
    let measured: readonly MeasuredRelay[] = [];
    const probe = options.probeNat && server ? probeNat(server, (relays) => (measured = relays)) : null;
    await warmUp();
    const peer = new Peer(options);
    if (probe) {
      peer.#natProbe = probe.result;
      peer.#stopProbe = () => probe.stop();
      peer.#probedRelays = () => measured;
      void probe.result.then((nat) => {
        peer.#probedNat = nat;
      });
    }
    return peer;
  }

  get id(): string {
    return this.#identity.current.id;
  }

  /** Of this computer's key, as others compare it. */
  get fingerprint(): string {
    return fingerprint(Buffer.from(this.#identity.current.publicKey).toString('base64'));
  }

  get settings(): PeerSettings {
    return this.#settings.current;
  }

  get oneTimePassword(): string {
    return this.#authenticator.oneTimePassword;
  }

  get nat(): NatType {
    return this.#mediator?.nat ?? this.settings.natType;
  }

  get registration(): MediatorState {
    return this.#mediator?.state ?? { state: 'off' };
  }

  get incoming(): readonly IncomingInfo[] {
    // Whoever has not said a name yet is not worth showing.
    return [...this.#incoming.values()].map((entry) => entry.info).filter((info) => info.peerId !== '');
  }

  /** The server in use, with its present key as far as it was told; null when none is set. */
  get server(): ServerAddress | null {
    const server = this.#options.overrides?.server ?? this.#storedServer();
    return server && { ...server, key: this.#presentKey(server.key) };
  }

  #storedServer(): ServerAddress | null {
    const { server, key, token } = this.settings;
    const address = this.#parsedServer(server, key);
    return address && { ...address, ...(token === '' ? {} : { token }) };
  }

  #presentKey(key: string): string {
    const { movedKeys } = this.settings;
    let present = key;
    // As many steps as there are entries: a circle ends too.
    for (let i = 0; i < movedKeys.length; i++) present = movedKeys.find(({ from }) => from === present)?.to ?? present;
    return present;
  }

  #parsedServer(server: string, key: string): ServerAddress | null {
    if (server === '') return null;
    if (server.includes('://')) {
      try {
        return parseServer(server, key);
      } catch {
        // Typed wrongly: it is shown as it is when it does not resolve.
      }
    }
    const match = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(server);
    return { host: (match?.[1] ?? server).replace(/^\[|\]$/g, ''), port: Number(match?.[2] ?? 21116), key };
  }

  get sharing(): boolean {
    return this.#options.overrides?.share ?? this.settings.shareEnabled;
  }

  /**
   * What opens ports at the gateway; null where the user switched that off. Made on first use, and silent until it is asked for
   * a port. `stop()` closes the ports and ends it; another one comes after that.
   */
  get portMapper(): PortMapper | null {
    if (!(this.#options.overrides?.portMapping ?? this.settings.portMapping)) return null;
    this.#portMapper ??= new PortMapper({
      stateFile: join(this.#options.dataDir, 'open-ports.json'),
      log: (line) => this.#log(line),
    });
    return this.#portMapper;
  }

  /** Goes online as the settings say. */
  start(): void {
    this.#started = true;
    this.#stopping = new AbortController();
    void this.portMapper?.removeLeftovers();
    this.#startNetwork();
  }

  /** Ends everything: sessions are told, sockets are closed. */
  async stop(): Promise<void> {
    this.#started = false;
    this.#stopping.abort();
    this.#stopProbe();
    this.#offered.set([]);
    for (const { session } of [...this.#incoming.values()]) session.disconnect();
    for (const session of this.#outgoing.keys()) session.close();
    const ends = [...this.#outgoing.values()].map((link) => link?.ended());
    await Promise.all([...ends, this.#nativeSessions.ended(), this.#stopNetwork(), this.#stopPortMapper()]);
  }

  renewPassword(): void {
    this.#authenticator.renew();
  }

  /** Stores a change of settings and brings it into effect; running sessions go on. */
  async changeSettings(change: Partial<PeerSettings> & { permanentPassword?: string }): Promise<void> {
    const { permanentPassword, ...rest } = change;
    const stored: Partial<PeerSettings> = rest;
    if (permanentPassword !== undefined)
      stored.permanentPasswordHash =
        permanentPassword === ''
          ? ''
          : Buffer.from(passwordHash(permanentPassword, this.#identity.current.salt)).toString('hex');
    this.#settings.change(stored);
    this.#applyPasswords();
    this.#applyTunnelRules();
    if (rest.portMapping === false) await this.#stopPortMapper();
    const network = ['server', 'key', 'token', 'shareEnabled', 'directAccess', 'directAccessPort', 'lanDiscovery'] as const;
    if (this.#started && network.some((name) => name in rest)) {
      await this.#stopNetwork();
      this.#startNetwork();
    }
    this.emit('changed', undefined);
  }

  forgetPeer(id: string): void {
    this.#settings.forgetPeer(id);
    this.emit('changed', undefined);
  }

  /** The keys by which other computers are known again. Errors: PINS_UNREADABLE. */
  get pins(): PinStore {
    return this.#pins;
  }

  rememberPeer(peer: { id: string; name: string; platform: string; passwordHash?: string }): void {
    this.#settings.rememberPeer({ ...peer, lastUsedMs: Date.now() });
    this.emit('changed', undefined);
  }

  /** Somebody clicked Accept or Dismiss. */
  answerIncoming(sessionId: string, accept: boolean): void {
    const entry = this.#incoming.get(sessionId);
    if (accept) entry?.session.accept();
    else entry?.session.dismiss();
  }

  closeIncoming(sessionId: string): void {
    this.#incoming.get(sessionId)?.session.disconnect();
  }

  /** Offers these services to other computers by name, in place of those before; the rules say who may use them. */
  offer(services: readonly ServiceSpec[]): void {
    this.#offered.set(services);
  }

  /** Keeps these services published at our server once it is started; whoever asks for it stops it. */
  publisher(services: readonly ServiceSpec[]): Publisher {
    return new Publisher({
      services,
      identity: () => this.#identity.current,
      server: () => this.server,
      register: (signal) => this.#register(signal),
    });
  }

  /** Other peers of the local network (rendezvous §12). */
  async discoverLan(signal: AbortSignal): Promise<LanPeerInfo[]> {
    return await discoverLan({ timeoutMs: 3_000, signal });
  }

  /**
   * Connects. Attach to the session's events, then `start()` it: that begins the login. `target` is an ID or an address.
   * Errors: TARGET_INVALID and every code of the stages up to `handshake`.
   */
  async connect(target: string, options: ConnectOptions): Promise<Connected> {
    const parsed = parseTarget(target);
    const name = parsed.kind === 'id' ? parsed.id : formatHostPort(parsed);
    const nativeOnly = options.nativeOnly === true;
    const allowPlaintext =
      !nativeOnly && !options.fingerprint && (options.allowPlaintext === true || this.settings.plaintextPeers.includes(name));
    const foreign = parsed.kind === 'id' && Boolean(parsed.server);
    const server = parsed.kind === 'id' ? (parsed.server ?? this.server) : null;
    const byId = (more: Pick<ConnectPeerOptions, 'signal' | 'onProgress' | 'join'>): Promise<PeerConnection> =>
      connectPeer({
        server,
        peerId: name,
        // A label that was stored in another network is worse than none.
        nat: this.#mediator?.nat ?? (foreign ? 'unknown' : this.#probedNat),
        ...(this.#natProbe && !foreign ? { natProbe: this.#natProbe } : {}),
        relays: () => (foreign ? [] : (this.#mediator?.relays ?? this.#probedRelays())),
        path: parsed.kind === 'id' && parsed.forceRelay ? 'relay' : (options.path ?? 'auto'),
        connType: options.kind === 'port-forward' ? hbb.ConnType.PORT_FORWARD : hbb.ConnType.DEFAULT_CONN,
        allowPlaintext,
        nativeOnly,
        ...(options.fingerprint ? { fingerprint: options.fingerprint } : {}),
        pinned: this.#known.host(server, name),
        identity: this.#identity.current,
        onNat: (nat) => this.#settings.change({ natType: nat }),
        // Of another server than ours nothing is remembered.
        ...(foreign ? {} : { onNewerKey: () => void this.#followServerKey(null) }),
        ...more,
      });
    const { signal, onProgress } = options;
    const connection =
      parsed.kind === 'address'
        ? await connectAddress(parsed, { allowPlaintext, signal })
        : await byId({ signal, ...(onProgress ? { onProgress } : {}) });
    const outgoing = new OutgoingLink(
      connection,
      parsed.kind === 'id' ? (join, stop) => byId({ join, signal: AbortSignal.any([signal, stop]) }) : null,
    );
    const { link } = connection;
    const { multipath } = outgoing;
    const session = new ControllerSession({
      link: outgoing.link,
      ...(multipath ? { sessionTimeouts: WATCHED_BY_LINK } : {}),
      clock: systemClock,
      random: (n) => randomBytes(n),
      peerId: name,
      myId: this.id,
      myName: displayName(),
      platform: PLATFORMS[process.platform] ?? 'Linux',
      version: WIRE_VERSION,
      sessionId: options.sessionId ?? randomBytes(8).readBigUInt64LE(),
      kind: options.kind ?? 'desktop',
      ...(options.portForward ? { portForward: options.portForward } : {}),
      ...(options.onRawMode ? { onRawMode: options.onRawMode } : {}),
      password: passwordOf(options),
      native: link.native,
      decoding: { vp8: true, vp9: true, av1: true, h264: true, ...options.decoding },
    });
    if (options.video === false) session.on('opened', () => session.captureDisplays([]));
    session.on('opened', () => {
      if (multipath) multipath.darkMs = DARK_MS;
      this.#known.hostOpened(server, name, link);
    });
    this.#outgoing.set(session, multipath);
    // An orderly end takes a round trip.
    session.on('closed', () => void (multipath?.ended() ?? Promise.resolve()).then(() => this.#outgoing.delete(session)));
    const attempts: Attempt[] = [];
    session.on('opened', () => {
      const hostKey = link.native?.peer?.key;
      const join = outgoing.ticket;
      const anyPath = (options.path ?? 'auto') === 'auto' && !(parsed.kind === 'id' && parsed.forceRelay);
      if (!multipath || !join || !hostKey || !anyPath) return;
      searchPaths({
        role: 'controller',
        link: multipath,
        sessionSecret: join.sessionSecret,
        server,
        portMapper: this.portMapper,
        exchange: (other, stop) =>
          secureAsController(other, { peerId: name, hostKey, allowPlaintext: false, native: { identity: this.#identity.current, join }, signal: stop }),
        onAttempt: (attempt) => attempts.push(asAttempt(attempt)),
        onNetworkChange: () => outgoing.roaming?.networkChanged(),
      });
    });
    return {
      session,
      link: outgoing.link,
      firstLink: link,
      peerId: name,
      get path() {
        return outgoing.path;
      },
      get localAddress() {
        return outgoing.localAddress;
      },
      get remoteAddress() {
        return outgoing.remoteAddress;
      },
      get paths() {
        return outgoing.paths;
      },
      onPathChange: (listener) => outgoing.onPathChange(listener),
      onSearching: (listener) => outgoing.onSearching(listener),
      encrypted: link.encrypted,
      peerVerified: link.peerVerified,
      elapsedMs: connection.elapsedMs,
      get attempts() {
        return [...connection.attempts, ...attempts];
      },
    };
  }

  /**
   * The server has another key: moves on to it if the one we know vouches for it, else goes offline and says so. `id` is
   * that of the server's key where it is certain that ours is not good any more.
   */
  async #followServerKey(id: Uint8Array | null): Promise<void> {
    const { server } = this;
    const mediator = this.#mediator;
    if (!server || !mediator || this.#following) return;
    this.#following = true;
    const { signal } = this.#stopping;
    try {
      const key = await followServerKey(mediator.address ?? server, server, signal);
      if (signal.aborted || this.#mediator !== mediator) return;
      if (key === null) {
        if (id) mediator.distrust(keyMismatch(server.key, id));
        return;
      }
      const others = this.settings.movedKeys.filter(({ from }) => from !== server.key && from !== key);
      this.#settings.change({ movedKeys: [...others, { from: server.key, to: key }].slice(-MAX_MOVED_KEYS) });
      this.#log(`the server has a new key, signed by the old one: ${fingerprint(server.key)} -> ${fingerprint(key)}`);
      await this.#stopNetwork();
      if (this.#started) this.#startNetwork();
      this.emit('changed', undefined);
    } catch (error) {
      // It will be told again with the next registration.
      if (!signal.aborted) this.#log(`the server's new key could not be asked for: ${(error as Error).message}`);
    } finally {
      this.#following = false;
    }
  }

  /** Resolves when the server knows this computer, which need not stay registered. Errors: those of registering, ABORTED. */
  async #register(signal: AbortSignal): Promise<void> {
    const { server } = this;
    if (!server) throw noServer();
    if (this.#mediator) return await registered(this.#mediator, signal);
    const mediator = new Mediator({ server, identity: this.#identity, share: true, knownNat: this.settings.natType });
    try {
      mediator.start();
      await registered(mediator, signal);
    } finally {
      await mediator.stop();
    }
  }

  #log(line: string): void {
    this.#options.log?.(line);
  }

  #applyPasswords(): void {
    const override = this.#options.overrides?.permanentPassword;
    const salt = this.#identity.current.salt;
    const hash =
      override === undefined
        ? Buffer.from(this.settings.permanentPasswordHash.slice(0, HEX_HASH_BYTES), 'hex')
        : passwordHash(override, salt);
    this.#authenticator.setPermanentH1(hash.length === 32 ? hash : null);
    this.#authenticator.approveMode = this.settings.approveMode;
  }

  #applyTunnelRules(): void {
    this.#tunnels.setRules(this.#options.overrides?.tunnelRules ?? this.settings.accessRules);
  }

  /** What a session that was just opened may reach through this computer. */
  #attachStreams(link: Link, session: HostSession, who: PeerIdentity): void {
    const channel = streamsLink(link);
    const streams = channel ?? (who.kind === 'tunnel' ? link : null);
    if (!streams || (who.kind !== 'tunnel' && who.kind !== 'desktop')) return;
    const mux = this.#tunnels.attach(streams, { peerId: who.peerId, proven: who.verified }, channel ? 0 : undefined);
    if (who.kind === 'tunnel') mux.on('closed', ({ reason }) => session.disconnect(reason));
  }

  #startNetwork(): void {
    const { server, sharing } = this;
    if (server) {
      const mediator = new Mediator({ server, identity: this.#identity, share: sharing, knownNat: this.settings.natType });
      const acceptor = new Acceptor({
        server,
        identity: () => this.#identity.current,
        nat: () => mediator.nat,
        serverAddress: () => mediator.address,
        allowPlaintext: false,
        gate: this.#gate,
        onKeyDoubted: () => mediator.unconfirmKey(),
        findSession: this.#nativeSessions.secretOf,
        onLink: (incoming) => this.#onIncoming(incoming),
        onFailure: (step, error) => this.#log(`incoming connection failed (${step}): ${(error as Error).message}`),
      });
      this.#mediator = mediator;
      this.#acceptor = acceptor;
      mediator.on('push', (message) => acceptor.handle(message));
      mediator.on('id', () => this.emit('changed', undefined));
      mediator.on('nat', (nat) => {
        if (nat !== this.settings.natType) this.#settings.change({ natType: nat });
        this.emit('changed', undefined);
      });
      mediator.on('server-key', (id) => void this.#followServerKey(id));
      this.#watchRegistration(mediator, formatServer(server));
      mediator.start();
    }
    if (sharing && this.settings.directAccess) this.#startDirectServer(this.settings.directAccessPort);
    if (sharing && this.settings.lanDiscovery) this.#startLan();
    this.emit('changed', undefined);
  }

  #watchRegistration(mediator: Mediator, server: string): void {
    let wasReady = false;
    let lastError = '';
    mediator.on('state', (state) => {
      if (state.state === 'ready') {
        if (!wasReady) this.emit('registered', { id: this.id, natType: mediator.nat, server });
        wasReady = true;
        lastError = '';
      } else if (state.state === 'offline') {
        if (wasReady || state.error.code !== lastError) this.emit('offline', state.error.toData());
        wasReady = false;
        lastError = state.error.code;
      }
      this.emit('changed', undefined);
    });
  }

  async #stopPortMapper(): Promise<void> {
    const mapper = this.#portMapper;
    this.#portMapper = null;
    await mapper?.stop();
  }

  async #stopNetwork(): Promise<void> {
    this.#acceptor?.stop();
    const mediator = this.#mediator;
    const direct = this.#directServer;
    const lan = this.#lan;
    this.#mediator = null;
    this.#acceptor = null;
    this.#directServer = null;
    this.#lan = null;
    await Promise.all([
      mediator?.stop(),
      lan?.close(),
      direct ? new Promise<void>((resolve) => direct.close(() => resolve())) : undefined,
    ]);
  }

  /** Direct access (rendezvous §12): off unless the user switched it on, since this wire has no encryption there. */
  #startDirectServer(port: number): void {
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
      const link = plainSecured(new TcpLink(socket, { maxPayload: PAYLOAD_LIMITS.login }));
      const admission = this.#gate.admit(socket.remoteAddress ?? '', () => link.destroy());
      if (admission) this.#onIncoming({ link, path: 'direct', admission });
      else link.destroy();
    });
    server.maxConnections = MAX_INCOMING;
    server.on('error', (error) => this.#log(`direct access on port ${port} is not available: ${error.message}`));
    server.listen({ port, host: '::' });
    this.#directServer = server;
  }

  #startLan(): void {
    const lan = new LanDiscoveryResponder({
      id: () => this.id,
      hostname: hostname(),
      username: displayName(),
      platform: PLATFORMS[process.platform] ?? 'Linux',
    });
    lan.start().catch((error: unknown) => this.#log(`LAN discovery is not available: ${(error as Error).message}`));
    this.#lan = lan;
  }

  /** From the login on, the controller may find better paths together with us. */
  #followPaths(multipath: MultipathLink, { native }: SecuredLink): void {
    if (!native) return;
    const { id, secretKey } = this.#identity.current;
    searchPaths({
      role: 'host',
      link: multipath,
      sessionSecret: native.sessionSecret,
      server: this.server,
      portMapper: this.portMapper,
      exchange: (other, signal) =>
        secureAsHost(other, { id, signSecretKey: secretKey, allowPlaintext: false, native: { findSession: this.#nativeSessions.secretOf }, signal }),
    });
  }

  #onIncoming({ link, path, admission }: IncomingLink): void {
    if (link.native?.joined) {
      admission.release();
      this.#nativeSessions.join(link, path);
      return;
    }
    if (this.#incoming.size >= MAX_INCOMING) {
      admission.release();
      link.destroy();
      return;
    }
    const sessionId = randomUUID();
    const { desktop } = this.#options;
    const { server } = this;
    const multipath = link.native ? this.#nativeSessions.found(link, path) : null;
    const native = this.#known.incoming(server, link.native);
    const session: HostSession = new HostSession({
      link: multipath ?? link,
      ...(multipath ? { sessionTimeouts: WATCHED_BY_LINK } : {}),
      native,
      clock: systemClock,
      random: (n) => randomBytes(n),
      ownId: this.id,
      authenticator: this.#authenticator,
      permissions: permissionsFor(desktop),
      desktop,
      hostInfo: {
        hostname: hostname(),
        username: displayName(),
        platform: desktop?.platform ?? PLATFORMS[process.platform] ?? 'Linux',
        version: WIRE_VERSION,
      },
      remoteAddress: link.remoteAddress,
      streams: true,
      ...(this.#tunnels.offers
        ? {
            onPortForward: (host: string, port: number, signal: AbortSignal) =>
              this.#tunnels.portForward({
                link,
                asker: { peerId: session.peer?.peerId ?? '', proven: session.peer?.verified ?? false },
                host,
                port,
                signal,
                onEnd: () => session.disconnect(),
              }),
          }
        : {}),
    });
    const entry: Incoming = {
      session,
      info: {
        sessionId,
        peerId: '',
        peerName: '',
        peerPlatform: '',
        kind: 'desktop',
        path,
        remoteAddress: link.remoteAddress,
        encrypted: link.encrypted,
        standing: 'unproven',
        state: 'asking',
        sinceMs: Date.now(),
      },
    };
    this.#incoming.set(sessionId, entry);
    let opened = false;
    const whoIs = (who: PeerIdentity) => ({
      peerId: who.peerId,
      peerName: who.name,
      peerPlatform: who.platform,
      kind: who.kind,
      standing: this.#known.standing(server, who.peerId, link.native),
    });
    session.on('ask', (who) => {
      entry.info = { ...entry.info, ...whoIs(who) };
      this.emit('ask', entry.info);
      this.emit('changed', undefined);
    });
    session.on('opened', (who) => {
      admission.release();
      entry.info = {
        ...entry.info,
        ...whoIs(who),
        state: 'open',
        sinceMs: Date.now(),
      };
      opened = true;
      if (multipath) {
        multipath.darkMs = DARK_MS;
        this.#followPaths(multipath, link);
      }
      this.#known.controllerOpened(server, native);
      this.#attachStreams(multipath ?? link, session, who);
      this.emit('session-opened', entry.info);
      this.emit('changed', undefined);
    });
    session.on('closed', (closed) => {
      admission.release();
      const reason = closed.reason || CLOSED_BY[closed.by];
      this.#incoming.delete(sessionId);
      if (opened) this.emit('session-closed', { sessionId, peerId: entry.info.peerId, reason });
      this.emit('changed', undefined);
    });
    multipath?.onPathChange((change) => {
      entry.info = { ...entry.info, path: change.to, remoteAddress: multipath.remoteAddress };
      if (change.pauseMs >= RESUME_MS) session.resumed();
      if (opened) this.emit('path-changed', { sessionId, ...change });
      this.emit('changed', undefined);
    });
    session.start();
  }
}

function permissionsFor(desktop: DesktopHost | null): SessionPermissions {
  return {
    keyboard: desktop !== null,
    clipboard: desktop?.setClipboardText !== undefined,
    audio: false,
    file: false,
    restart: false,
    recording: true,
    blockInput: false,
    privacyMode: false,
  };
}

function passwordOf(options: ConnectOptions): string | { h1: Uint8Array } | undefined {
  if (options.password !== undefined) return options.password;
  if (options.passwordHash !== undefined) return { h1: Buffer.from(options.passwordHash, 'hex') };
  return undefined;
}

function displayName(): string {
  try {
    return userInfo().username;
  } catch {
    return hostname();
  }
}
