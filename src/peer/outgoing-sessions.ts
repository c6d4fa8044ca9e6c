/** The sessions that this computer has with others. */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../core/clock.ts';
import type { MultipathLink } from '../core/native/multipath.ts';
import { DARK_MS } from '../core/native/multipath-limits.ts';
import { ControllerSession, WATCHED_BY_LINK } from '../core/session/index.ts';
import { hbb } from '../core/wire/index.ts';
import { formatHostPort, secureAsController } from '../net/index.ts';
import type { GatewayPorts } from '../net/portmap/index.ts';
import { connectAddress } from './connect-address.ts';
import type { ConnectPeerOptions, PeerConnection } from './connect-options.ts';
import { connectPeer } from './connector.ts';
import type { IdentityStore } from './identity.ts';
import type { KnownPeers } from './known-peers.ts';
import { searchPaths } from './native-paths.ts';
import type { NatType } from './nat-test.ts';
import { OutgoingLink } from './outgoing-link.ts';
import { ownPlatform, displayName } from './own-platform.ts';
import type { PathMemory } from './path-memory.ts';
import { asAttempt } from './path-record.ts';
import type { Connected, ConnectOptions } from './peer-contract.ts';
import type { Attempt } from './race.ts';
import type { MeasuredRelay } from './relay-latency.ts';
import type { ServerAddress } from './server-address.ts';
import type { SettingsStore } from './settings.ts';
import { parseTarget } from './target.ts';
import type { Target } from './target.ts';
import { WIRE_VERSION } from './version.ts';

/** What is known of the way to our own server; of other servers nothing is. */
export interface KnownNetwork {
  readonly nat: NatType;
  /** A test that is under way. */
  readonly natProbe: Promise<NatType> | null;
  readonly relays: readonly MeasuredRelay[];
  /** Our server's own relay takes datagrams, too. */
  readonly relayUdp: boolean;
}

export interface OutgoingSessionsOptions {
  readonly identity: IdentityStore;
  readonly settings: SettingsStore;
  readonly known: KnownPeers;
  readonly server: () => ServerAddress | null;
  readonly network: () => KnownNetwork;
  /** The NAT label of our registration; wins over what is known of another server. Null: none. */
  readonly registeredNat: () => NatType | null;
  readonly gatewayPorts: () => GatewayPorts | null;
  readonly memory: PathMemory;
  /** Our server signs with a newer key than the one that is known here. */
  readonly onNewerKey: () => void;
}

export class OutgoingSessions {
  readonly #o: OutgoingSessionsOptions;
  readonly #sessions = new Map<ControllerSession, MultipathLink | null>();
  /** What our server said of its relay when a connection asked. */
  #relayUdp = false;

  constructor(options: OutgoingSessionsOptions) {
    this.#o = options;
  }

  /** Closes all; resolves when their links have ended. */
  async close(): Promise<void> {
    for (const session of this.#sessions.keys()) session.close();
    await Promise.all([...this.#sessions.values()].map((link) => link?.ended()));
  }

  /** As Peer.connect. */
  async connect(address: string, options: ConnectOptions): Promise<Connected> {
    const target = parseTarget(address);
    const name = target.kind === 'id' ? target.id : formatHostPort(target);
    const server = target.kind === 'id' ? (target.server ?? this.#o.server()) : null;
    const byId = (more: Pick<ConnectPeerOptions, 'signal' | 'onProgress' | 'join'>): Promise<PeerConnection> =>
      connectPeer({ ...this.#request(target, name, server, options), ...more });
    const { signal, onProgress } = options;
    const connection =
      target.kind === 'address'
        ? await connectAddress(target, { allowPlaintext: this.#mayBePlain(name, options), signal })
        : await byId({ signal, ...(onProgress ? { onProgress } : {}) });
    const outgoing = new OutgoingLink(
      connection,
      target.kind === 'id' ? (join, stop) => byId({ join, signal: AbortSignal.any([signal, stop]) }) : null,
    );
    const { link } = connection;
    const { multipath } = outgoing;
    const session = this.#newSession(name, outgoing, connection, options);
    const attempts: Attempt[] = [];
    const anyPath = (options.path ?? 'auto') === 'auto' && !(target.kind === 'id' && target.forceRelay);
    session.on('opened', () => {
      if (options.video === false) session.captureDisplays([]);
      if (multipath) multipath.darkMs = DARK_MS;
      this.#o.known.hostOpened(server, name, link);
      if (anyPath) this.#searchPaths(name, server, outgoing, connection, (attempt) => attempts.push(attempt));
    });
    this.#sessions.set(session, multipath);
    session.on('closed', () => {
      // An orderly end takes a round trip.
      void (multipath?.ended() ?? Promise.resolve()).then(() => this.#sessions.delete(session));
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

  #mayBePlain(name: string, options: ConnectOptions): boolean {
    if (options.nativeOnly === true || options.fingerprint) return false;
    return options.allowPlaintext === true || this.#o.settings.current.plaintextPeers.includes(name);
  }

  #request(
    target: Target,
    name: string,
    server: ServerAddress | null,
    options: ConnectOptions,
  ): Omit<ConnectPeerOptions, 'signal'> {
    const foreign = target.kind === 'id' && Boolean(target.server);
    const { natProbe, nat } = this.#o.network();
    return {
      server,
      peerId: name,
      // A label that was stored in another network is worse than none.
      nat: this.#o.registeredNat() ?? (foreign ? 'unknown' : nat),
      ...(natProbe && !foreign ? { natProbe } : {}),
      relays: () => (foreign ? [] : this.#o.network().relays),
      relayUdp: !foreign && (this.#relayUdp || this.#o.network().relayUdp),
      path: target.kind === 'id' && target.forceRelay ? 'relay' : (options.path ?? 'auto'),
      connType: options.kind === 'port-forward' ? hbb.ConnType.PORT_FORWARD : hbb.ConnType.DEFAULT_CONN,
      allowPlaintext: this.#mayBePlain(name, options),
      nativeOnly: options.nativeOnly === true,
      ...(options.fingerprint ? { fingerprint: options.fingerprint } : {}),
      pinned: this.#o.known.host(server, name),
      identity: this.#o.identity.current,
      ...(foreign ? {} : { onTold: ({ relayUdp }) => void (this.#relayUdp = relayUdp) }),
      onNat: (natType) => this.#o.settings.change({ natType }),
      // Of another server than ours nothing is remembered.
      ...(foreign ? {} : { onNewerKey: this.#o.onNewerKey }),
    };
  }

  #newSession(
    peerId: string,
    { link, multipath }: OutgoingLink,
    connection: PeerConnection,
    options: ConnectOptions,
  ): ControllerSession {
    return new ControllerSession({
      link,
      ...(multipath ? { sessionTimeouts: WATCHED_BY_LINK } : {}),
      clock: systemClock,
      random: (n) => randomBytes(n),
      peerId,
      myId: this.#o.identity.current.id,
      myName: displayName(),
      platform: ownPlatform(),
      version: WIRE_VERSION,
      sessionId: options.sessionId ?? randomBytes(8).readBigUInt64LE(),
      kind: options.kind ?? 'desktop',
      ...(options.portForward ? { portForward: options.portForward } : {}),
      ...(options.onRawMode ? { onRawMode: options.onRawMode } : {}),
      password: passwordOf(options),
      native: connection.link.native,
      decoding: { vp8: true, vp9: true, av1: true, h264: true, ...options.decoding },
    });
  }

  /** From the login on, both look for a better path. */
  #searchPaths(
    peerId: string,
    server: ServerAddress | null,
    { multipath, ticket: join, roaming }: OutgoingLink,
    { link }: PeerConnection,
    onAttempt: (attempt: Attempt) => void,
  ): void {
    const hostKey = link.native?.peer?.key;
    if (!multipath || !join || !hostKey) return;
    const identity = this.#o.identity.current;
    searchPaths({
      role: 'controller',
      link: multipath,
      sessionSecret: join.sessionSecret,
      server,
      gatewayPorts: this.#o.gatewayPorts(),
      memory: this.#o.memory.of(peerId),
      exchange: (other, signal) =>
        secureAsController(other, { peerId, hostKey, allowPlaintext: false, native: { identity, join }, signal }),
      onAttempt: (attempt) => onAttempt(asAttempt(attempt)),
      onNetworkChange: () => roaming?.networkChanged(),
    });
  }
}

function passwordOf(options: ConnectOptions): string | { h1: Uint8Array } | undefined {
  if (options.password !== undefined) return options.password;
  if (options.passwordHash !== undefined) return { h1: Buffer.from(options.passwordHash, 'hex') };
  return undefined;
}
