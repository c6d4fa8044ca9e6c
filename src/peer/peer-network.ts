/** How others find this computer: registration at the server, direct access, LAN discovery. */
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import { hostname } from 'node:os';
import { fingerprint } from '../core/crypto/index.ts';
import { type ErrorData, LiteDeskError } from '../core/errors.ts';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { LanDiscoveryResponder, plainSecured, TcpLink } from '../net/index.ts';
import { Acceptor } from './acceptor.ts';
import type { IncomingLink } from './acceptor.ts';
import type { AdmissionGate } from './admission.ts';
import { keyMismatch, noServer } from './errors.ts';
import type { IdentityStore } from './identity.ts';
import { Mediator } from './mediator.ts';
import type { NatType } from './nat-test.ts';
import { displayName, ownPlatform } from './own-platform.ts';
import type { OwnServer } from './own-server.ts';
import { registered } from './registered.ts';
import { formatServer } from './server-address.ts';
import { followServerKey } from './server-key.ts';
import { SpareRelay } from './spare-relay.ts';
import type { SettingsStore } from './settings.ts';

/** Connections beyond the sessions that there may be, at the direct access port. */
const MAX_REFUSED = 8;

export interface PeerNetworkOptions {
  readonly identity: IdentityStore;
  readonly settings: SettingsStore;
  readonly server: OwnServer;
  readonly sharing: () => boolean;
  /** Shared by every way in. */
  readonly gate: AdmissionGate;
  /** Sessions that there may be at once. */
  readonly maxIncoming: number;
  /** The secret that a path has to know to join that session. */
  readonly findSession: (sessionId: Uint8Array) => Uint8Array | null;
  readonly onLink: (incoming: IncomingLink) => void;
  readonly onRegistered: (about: { id: string; natType: NatType; server: string }) => void;
  readonly onOffline: (error: ErrorData) => void;
  /** Anything that is shown changed. */
  readonly onChange: () => void;
  readonly log: (line: string, level?: 'info' | 'debug') => void;
}

export class PeerNetwork {
  readonly #o: PeerNetworkOptions;
  #mediator: Mediator | null = null;
  #acceptor: Acceptor | null = null;
  #spare: SpareRelay | null = null;
  #directServer: Server | null = null;
  #lan: LanDiscoveryResponder | null = null;
  #following = false;
  #stopping = new AbortController();

  constructor(options: PeerNetworkOptions) {
    this.#o = options;
  }

  /** Null while there is no server, or nothing was started. */
  get mediator(): Mediator | null {
    return this.#mediator;
  }

  /** Goes online as the settings say. */
  start(): void {
    const { server, settings, sharing } = this.#o;
    this.#stopping = new AbortController();
    const address = server.current;
    if (address) {
      const mediator = this.#newMediator(sharing());
      const spare = new SpareRelay(address);
      this.#spare = spare;
      const acceptor = new Acceptor({
        server: address,
        identity: () => this.#o.identity.current,
        nat: () => mediator.nat,
        serverAddress: () => mediator.address,
        hasUdp: () => mediator.hasUdp,
        takeSpareRelay: () => spare.take(),
        allowPlaintext: false,
        gate: this.#o.gate,
        onKeyDoubted: () => mediator.unconfirmKey(),
        findSession: this.#o.findSession,
        onLink: this.#o.onLink,
        onFailure: (step, error) => this.#o.log(`incoming connection failed (${step}): ${(error as Error).message}`, isOfRace(error) ? 'debug' : 'info'),
      });
      this.#mediator = mediator;
      this.#acceptor = acceptor;
      mediator.on('push', (message) => acceptor.handle(message));
      mediator.on('state', (state) => {
        if (state.state === 'ready' && state.transport === 'tcp' && mediator.relayUdp) spare.start();
        else if (state.state !== 'registering') spare.stop();
      });
      mediator.on('id', () => this.#o.onChange());
      mediator.on('nat', (nat) => {
        if (nat !== settings.current.natType) settings.change({ natType: nat });
        this.#o.onChange();
      });
      mediator.on('server-key', (id) => void this.followServerKey(id));
      this.#watchRegistration(mediator, formatServer(address));
      mediator.start();
    }
    const { directAccess, directAccessPort, lanDiscovery } = settings.current;
    if (sharing() && directAccess) this.#startDirectServer(directAccessPort);
    if (sharing() && lanDiscovery) this.#startLan();
    this.#o.onChange();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#leave();
  }

  async #leave(): Promise<void> {
    this.#acceptor?.stop();
    this.#spare?.stop();
    const mediator = this.#mediator;
    const direct = this.#directServer;
    const lan = this.#lan;
    this.#mediator = null;
    this.#acceptor = null;
    this.#spare = null;
    this.#directServer = null;
    this.#lan = null;
    await Promise.all([
      mediator?.stop(),
      lan?.close(),
      direct ? new Promise<void>((resolve) => direct.close(() => resolve())) : undefined,
    ]);
  }

  /** Resolves when the server knows this computer, which need not stay registered. Errors: those of registering, ABORTED. */
  async register(signal: AbortSignal): Promise<void> {
    if (!this.#o.server.current) throw noServer();
    if (this.#mediator) return await registered(this.#mediator, signal);
    const mediator = this.#newMediator(true);
    try {
      mediator.start();
      await registered(mediator, signal);
    } finally {
      await mediator.stop();
    }
  }

  /**
   * The server has another key: moves on to it if the one we know vouches for it, else goes offline and says so. `id` is
   * that of the server's key where it is certain that ours is not good any more.
   */
  async followServerKey(id: Uint8Array | null): Promise<void> {
    const server = this.#o.server.current;
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
      this.#o.server.keyMoved(server.key, key);
      this.#o.log(`the server has a new key, signed by the old one: ${fingerprint(server.key)} -> ${fingerprint(key)}`);
      await this.#leave();
      if (!signal.aborted) this.start();
    } catch (error) {
      // It will be told again with the next registration.
      if (!signal.aborted) this.#o.log(`the server's new key could not be asked for: ${(error as Error).message}`);
    } finally {
      this.#following = false;
    }
  }

  #newMediator(share: boolean): Mediator {
    const { identity, settings, server } = this.#o;
    const address = server.current;
    if (!address) throw noServer();
    return new Mediator({ server: address, identity, share, knownNat: settings.current.natType });
  }

  #watchRegistration(mediator: Mediator, server: string): void {
    let wasReady = false;
    let lastError = '';
    mediator.on('state', (state) => {
      if (state.state === 'ready') {
        if (!wasReady) this.#o.onRegistered({ id: this.#o.identity.current.id, natType: mediator.nat, server });
        wasReady = true;
        lastError = '';
      } else if (state.state === 'offline') {
        if (wasReady || state.error.code !== lastError) this.#o.onOffline(state.error.toData());
        wasReady = false;
        lastError = state.error.code;
      }
      this.#o.onChange();
    });
  }

  /** Direct access (rendezvous §12): off unless the user switched it on, since this wire has no encryption there. */
  #startDirectServer(port: number): void {
    const server = createServer({ noDelay: true, keepAlive: true }, (socket) => {
      const link = plainSecured(new TcpLink(socket, { maxPayload: PAYLOAD_LIMITS.login }));
      const admission = this.#o.gate.admit(socket.remoteAddress ?? '', () => link.destroy());
      if (admission) this.#o.onLink({ link, path: 'direct', admission });
      else link.destroy();
    });
    // Some more than sessions, so that whoever is one too many can be told.
    server.maxConnections = this.#o.maxIncoming + MAX_REFUSED;
    server.on('error', (error) => this.#o.log(`direct access on port ${port} is not available: ${error.message}`));
    server.listen({ port, host: '::' });
    this.#directServer = server;
  }

  #startLan(): void {
    const lan = new LanDiscoveryResponder({
      id: () => this.#o.identity.current.id,
      hostname: hostname(),
      username: displayName(),
      platform: ownPlatform(),
    });
    lan.start().catch((error: unknown) => this.#o.log(`LAN discovery is not available: ${(error as Error).message}`));
    this.#lan = lan;
  }
}

/** Of the ways that are tried at once all but one or two come to nothing: that is no failure of anything. */
const LOSERS: ReadonlySet<string> = new Set(['HANDSHAKE_TIMEOUT', 'HANDSHAKE_PEER_CLOSED', 'PUNCH_TIMEOUT', 'PUNCH_REFUSED', 'PUNCH_FAILED', 'ABORTED']);

function isOfRace(error: unknown): boolean {
  return error instanceof LiteDeskError && LOSERS.has(error.code);
}
