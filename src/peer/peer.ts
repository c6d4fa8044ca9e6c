/**
 * One peer: this computer as others find it, and its way to others. The app and the command line are both thin layers
 * over this class; nothing here knows about windows.
 */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../core/clock.ts';
import { fingerprint, passwordHash } from '../core/crypto/index.ts';
import { Emitter } from '../core/emitter.ts';
import { HostAuthenticator } from '../core/session/index.ts';
import { discoverLan } from '../net/index.ts';
import type { LanPeerInfo } from '../net/index.ts';
import { GatewayPorts } from '../net/portmap/index.ts';
import { AdmissionGate } from './admission.ts';
import { IdentityStore } from './identity.ts';
import { IncomingSessions, MAX_INCOMING } from './incoming-sessions.ts';
import { KnownPeers } from './known-peers.ts';
import type { MediatorState } from './mediator.ts';
import { probeNat } from './nat-test.ts';
import type { NatType } from './nat-test.ts';
import { OutgoingSessions } from './outgoing-sessions.ts';
import { OwnServer } from './own-server.ts';
import type { Connected, ConnectOptions, IncomingInfo, PeerEvents, PeerOptions } from './peer-contract.ts';
import { PeerNetwork } from './peer-network.ts';
import { PathMemory } from './path-memory.ts';
import { PinStore } from './pins.ts';
import { OfferedServices } from './publish/offered-services.ts';
import { Publisher } from './publish/publisher.ts';
import type { ServiceSpec } from './publish/service-spec.ts';
import type { MeasuredRelay } from './relay-latency.ts';
import type { ServerAddress } from './server-address.ts';
import { SettingsStore } from './settings.ts';
import type { PeerSettings } from './settings.ts';
import { TunnelRehearsal } from './tunnel/rehearsal.ts';
import { TunnelHost } from './tunnel/tunnel-host.ts';
import { warmUp } from './warm-up.ts';

export type * from './peer-contract.ts';

/** h1 of session §2.4 in hex. */
const HEX_HASH_CHARS = 64;
/** Settings whose change makes this computer go online anew. */
const NETWORK_SETTINGS = ['server', 'key', 'token', 'shareEnabled', 'directAccess', 'directAccessPort', 'lanDiscovery'] as const;

/** What was found out about the way to the server before anything was started. */
interface Probe {
  readonly result: Promise<NatType>;
  readonly stop: () => void;
  nat: NatType;
  relays: readonly MeasuredRelay[];
  relayUdp: boolean;
}

export class Peer extends Emitter<PeerEvents> {
  readonly #options: PeerOptions;
  readonly #identity: IdentityStore;
  readonly #settings: SettingsStore;
  readonly #server: OwnServer;
  readonly #pins: PinStore;
  readonly #authenticator: HostAuthenticator;
  readonly #offered = new OfferedServices();
  readonly #tunnels: TunnelHost;
  readonly #rehearsal = new TunnelRehearsal();
  readonly #incoming: IncomingSessions;
  readonly #outgoing: OutgoingSessions;
  readonly #network: PeerNetwork;
  readonly #probe: Probe | null;
  #gatewayPorts: GatewayPorts | null = null;
  #started = false;

  private constructor(options: PeerOptions, probe: Probe | null) {
    super();
    this.#options = options;
    this.#probe = probe;
    const { dataDir, desktop, overrides } = options;
    const random = (n: number): Uint8Array => randomBytes(n);
    const log = (line: string, level?: 'info' | 'debug'): void => options.log?.(line, level);
    const onChange = (): void => this.emit('changed', undefined);
    const identity = new IdentityStore(dataDir, random);
    const settings = new SettingsStore(dataDir);
    this.#identity = identity;
    this.#settings = settings;
    this.#server = new OwnServer(settings, overrides?.server ?? null);
    this.#pins = new PinStore(dataDir, Date.now);
    this.#authenticator = new HostAuthenticator({ clock: systemClock, random, salt: identity.current.salt });
    this.#authenticator.on('change', onChange);
    this.#tunnels = new TunnelHost({
      audit: (line) => this.emit('tunnel-stream', line),
      onViolation: (violation) => this.emit('tunnel-violation', violation),
      openService: (name, stream) => this.#offered.take(name, stream),
    });
    const shared = {
      identity,
      settings,
      known: new KnownPeers(this.#pins, log),
      server: () => this.server,
      gatewayPorts: () => this.gatewayPorts,
      memory: new PathMemory(dataDir, Date.now, log),
    };
    this.#incoming = new IncomingSessions({
      ...shared,
      authenticator: this.#authenticator,
      tunnels: this.#tunnels,
      desktop,
      onAsk: (info) => this.emit('ask', info),
      onOpened: (info) => {
        this.emit('session-opened', info);
        if (info.kind === 'tunnel') this.#rehearsal.soon();
      },
      onPathChanged: (change) => this.emit('path-changed', change),
      onClosed: (about) => this.emit('session-closed', about),
      onRefused: (error) => log(`${error.message} ${error.hint}`),
      register: () => this.#network.mediator?.refresh(),
      onChange,
    });
    this.#network = new PeerNetwork({
      identity,
      settings,
      server: this.#server,
      sharing: () => this.sharing,
      gate: new AdmissionGate(),
      maxIncoming: MAX_INCOMING,
      findSession: this.#incoming.secretOf,
      onLink: (incoming) => this.#incoming.take(incoming),
      onRegistered: (about) => this.emit('registered', about),
      onOffline: (error) => this.emit('offline', error),
      onChange,
      log,
    });
    this.#outgoing = new OutgoingSessions({
      ...shared,
      registeredNat: () => this.#network.mediator?.nat ?? null,
      network: () => ({
        nat: probe?.nat ?? 'unknown',
        natProbe: probe?.result ?? null,
        relays: this.#network.mediator?.relays ?? probe?.relays ?? [],
        relayUdp: this.#network.mediator?.relayUdp ?? probe?.relayUdp ?? false,
      }),
      onNewerKey: () => void this.#network.followServerKey(null),
    });
    this.#applyPasswords();
    this.#applyTunnelRules();
  }

  /** Reads or makes the identity of the data folder. Errors: IDENTITY_UNREADABLE, file system errors. */
  static async open(options: PeerOptions): Promise<Peer> {
    const server = options.overrides?.server;
    const probe = options.probeNat && server ? startProbe(server) : null;
    await warmUp();
    return new Peer(options, probe);
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
    return this.#network.mediator?.nat ?? this.settings.natType;
  }

  get registration(): MediatorState {
    return this.#network.mediator?.state ?? { state: 'off' };
  }

  get incoming(): readonly IncomingInfo[] {
    return this.#incoming.list;
  }

  /** The server in use, with its present key as far as it was told; null when none is set. */
  get server(): ServerAddress | null {
    return this.#server.current;
  }

  get sharing(): boolean {
    return this.#options.overrides?.share ?? this.settings.shareEnabled;
  }

  /** The keys by which other computers are known again. Errors: PINS_UNREADABLE. */
  get pins(): PinStore {
    return this.#pins;
  }

  /**
   * What opens ports at the gateway; null where the user switched that off. Made on first use, and silent until it is asked for
   * a port. `stop()` closes the ports and ends it; another one comes after that.
   */
  get gatewayPorts(): GatewayPorts | null {
    if (!(this.#options.overrides?.portMapping ?? this.settings.portMapping)) return null;
    this.#gatewayPorts ??= new GatewayPorts({ dataDir: this.#options.dataDir, log: (line) => this.#options.log?.(line) });
    return this.#gatewayPorts;
  }

  /** Goes online as the settings say. */
  start(): void {
    this.#started = true;
    void this.gatewayPorts?.removeLeftovers();
    this.#network.start();
  }

  /** Ends everything: sessions are told, sockets are closed. */
  async stop(): Promise<void> {
    this.#started = false;
    this.#probe?.stop();
    this.#rehearsal.close();
    this.#offered.set([]);
    this.#incoming.closeAll();
    const outgoing = this.#outgoing.close();
    await Promise.all([outgoing, this.#incoming.ended(), this.#network.stop(), this.#closeGatewayPorts()]);
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
    if (rest.portMapping === false) await this.#closeGatewayPorts();
    if (this.#started && NETWORK_SETTINGS.some((name) => name in rest)) {
      await this.#network.stop();
      this.#network.start();
    }
    this.emit('changed', undefined);
  }

  forgetPeer(id: string): void {
    this.#settings.forgetPeer(id);
    this.emit('changed', undefined);
  }

  rememberPeer(peer: { id: string; name: string; platform: string; passwordHash?: string }): void {
    this.#settings.rememberPeer({ ...peer, lastUsedMs: Date.now() });
    this.emit('changed', undefined);
  }

  /** Somebody clicked Accept or Dismiss. */
  answerIncoming(sessionId: string, accept: boolean): void {
    this.#incoming.answer(sessionId, accept);
  }

  closeIncoming(sessionId: string): void {
    this.#incoming.close(sessionId);
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
      register: (signal) => this.#network.register(signal),
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
    const connected = await this.#outgoing.connect(target, options);
    if (options.kind === 'tunnel') this.#rehearsal.soon();
    return connected;
  }

  #applyPasswords(): void {
    const override = this.#options.overrides?.permanentPassword;
    const salt = this.#identity.current.salt;
    const hash =
      override === undefined
        ? Buffer.from(this.settings.permanentPasswordHash.slice(0, HEX_HASH_CHARS), 'hex')
        : passwordHash(override, salt);
    this.#authenticator.setPermanentH1(hash.length === 32 ? hash : null);
    this.#authenticator.approveMode = this.settings.approveMode;
  }

  #applyTunnelRules(): void {
    this.#tunnels.setRules(this.#options.overrides?.tunnelRules ?? this.settings.accessRules);
  }

  async #closeGatewayPorts(): Promise<void> {
    const ports = this.#gatewayPorts;
    this.#gatewayPorts = null;
    await ports?.stop();
  }
}

function startProbe(server: ServerAddress): Probe {
  const probe: { nat: NatType; relays: readonly MeasuredRelay[]; relayUdp: boolean } = { nat: 'unknown', relays: [], relayUdp: false };
  const { result, stop } = probeNat(
    server,
    (relays) => {
      probe.relays = relays;
    },
    ({ relayUdp }) => {
      probe.relayUdp = relayUdp;
    },
  );
  void result.then((nat) => {
    probe.nat = nat;
  });
  return Object.assign(probe, { result, stop });
}
