/**
 * The controller's way to a peer (rendezvous §9.1, §9.2): asks the server for an introduction over TCP and, with the UDP
 * port of a proven socket, for UDP; races what comes of it; asks for the relay when direct paths had their head start.
 */
import type { Socket as UdpSocket } from 'node:dgram';
import { randomUUID } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { openIdPk } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { decodeRendezvous, encodeRendezvous, hbb, normalizeHost, unmangleAddress } from '../core/wire/index.ts';
import type { HostPort } from '../core/wire/index.ts';
import { dialTcp, formatHostPort, plainSecured, secureAsController, TcpLink } from '../net/index.ts';
import type { NativeIdentity } from '../core/native/handshake.ts';
import type { NetLink, PinnedHost, SecuredLink } from '../net/index.ts';
import { createPunchSocket, punchUdp } from '../net/punch-udp.ts';
import {
  aborted,
  directIsPlaintext,
  directUnreachable,
  idNotFound,
  keyMismatch,
  lookupRefused,
  noServer,
  pathImpossible,
  peerOffline,
  peerSilent,
  relayNotPaired,
  relayRefused,
} from './errors.ts';
import { natTypeToWire, testNat } from './nat-test.ts';
import type { NatType } from './nat-test.ts';
import { PUNCH_TIMEOUT_MS, punchTcpAsController } from './punch-tcp.ts';
import { IPv6Hole, ipv6Of } from './punch-v6.ts';
import { PathRace } from './race.ts';
import type { Attempt, ConnectionPath } from './race.ts';
import { joinRelay } from './relay.ts';
import type { MeasuredRelay } from './relay-latency.ts';
import { RendezvousConnection, resolveServer } from './rendezvous-client.ts';
import { relayAddress, routeTo } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';
import { WIRE_VERSION } from './version.ts';

export type PathChoice = 'auto' | 'lan' | 'tcp' | 'udp' | 'ipv6' | 'relay';

/** Waits for the peer's answer; the request is sent again each time, since its push to the peer may be lost. */
const LOOKUP_WAITS_MS = [1_500, 3_000, 4_500] as const;
/** What is looked into beside the first request starts after this time, if that is still on its way. */
const FIRST_REQUEST_MS = 5;
/** How long direct paths run alone before the relay joins the race. */
const RELAY_HEAD_START_MS = { min: 1_000, max: 3_000 } as const;
/** A relay that the peer proposes together with an IPv6 address waits for so many of the server's round trips. */
const IPV6_HEAD_START = { roundTrips: 2, minMs: 100, maxMs: 1_000 } as const;
const LAN_TIMEOUT_MS = 3_000;
const RELAY_ANSWER_TIMEOUT_MS = 6_000;
/** Pairing at a relay can fail by chance when both ends arrive in the same instant (§7.3). */
const RELAY_TRIES = 2;
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** Times at which TestNatRequest leaves on the UDP socket (§9.1), until the answer is there. */
const UDP_PROBE_MS = [0, 5, 20, 50, 95, 160, 260, 400] as const;
const UDP_PROBE_TIMEOUT_MS = 700;
const DIRECT_CONNECT_TIMEOUT_MS = 6_000;
/** What the server says of the peer, or the peer of itself: every other path would end in the same way. */
const FATAL_HANDSHAKES: ReadonlySet<string> = new Set([
  'HANDSHAKE_NO_KEY',
  'HANDSHAKE_KEY_CHANGED',
  'HANDSHAKE_DOWNGRADE_REFUSED',
  'HANDSHAKE_NATIVE_UNSUPPORTED',
]);
/** Whoever answers is a stranger until the key exchange has shown the host's key. */
const STRANGER = { maxPayload: PAYLOAD_LIMITS.handshake } as const;

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
  readonly path: PathChoice;
  readonly connType: hbb.ConnType;
  /** The user allowed an unencrypted connection to this peer. */
  readonly allowPlaintext: boolean;
  /** What is remembered of this peer. */
  readonly pinned: PinnedHost | null;
  /** Who we prove to be on a native link; null: only the stock key exchange. */
  readonly identity: NativeIdentity | null;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: ConnectStep) => void;
  /** The server signs with a newer key than the one that is known here. */
  readonly onNewerKey?: () => void;
  /** The NAT was not known and has been tested beside the connection. */
  readonly onNat?: (nat: NatType) => void;
}

export interface PeerConnection {
  readonly link: SecuredLink;
  readonly path: ConnectionPath;
  readonly attempts: readonly Attempt[];
  readonly elapsedMs: number;
}

/** Finds the peer and returns the first secured link. Errors: every stage up to `handshake`. */
export async function connectPeer(options: ConnectPeerOptions): Promise<PeerConnection> {
  if (!options.server) throw noServer();
  return await new Connector(options, options.server).run();
}

/** Dials an address (rendezvous §11.7): no key exchange exists there, so the user must have allowed plain text. */
export async function connectAddress(
  address: HostPort,
  options: { allowPlaintext: boolean; signal: AbortSignal },
): Promise<PeerConnection> {
  const started = performance.now();
  const name = formatHostPort(address);
  if (!options.allowPlaintext) throw directIsPlaintext(name);
  try {
    const socket = await dialTcp({ ...address, timeoutMs: DIRECT_CONNECT_TIMEOUT_MS, signal: options.signal });
    const ms = Math.round(performance.now() - started);
    return {
      link: plainSecured(new TcpLink(socket, { maxPayload: PAYLOAD_LIMITS.login })),
      path: 'direct',
      attempts: [{ path: 'direct', outcome: 'ok', ms, reason: '' }],
      elapsedMs: ms,
    };
  } catch (cause) {
    if (options.signal.aborted) throw aborted();
    throw directUnreachable(name, cause);
  }
}

/** What the server or the peer told about where the peer is. */
interface Introduction {
  readonly hostKey: Uint8Array | null;
  readonly relayServer: string;
}

class Connector {
  readonly #options: ConnectPeerOptions;
  readonly #server: ServerAddress;
  readonly #race: PathRace;
  #relayStarted = false;
  #relayTimer: NodeJS.Timeout | null = null;
  #directRunning = 0;
  #nat: NatType;
  #ipv6: IPv6Hole | null = null;
  #ipv6Running = false;
  #onRequested: () => void = () => {};
  /** Where the relay would be asked for, once the peer has answered. */
  #relayWanted: (() => void) | null = null;

  constructor(options: ConnectPeerOptions, server: ServerAddress) {
    this.#options = options;
    this.#server = server;
    this.#nat = options.nat;
    this.#race = new PathRace(options.signal);
  }

  async run(): Promise<PeerConnection> {
    const { path, peerId } = this.#options;
    const race = this.#race;
    this.#progress('lookup', peerId);
    if (path === 'auto' || path === 'ipv6') {
      this.#ipv6 = await IPv6Hole.open();
    }
    race.task(async () => {
      const address = await resolveServer(this.#server, race.signal);
      if (path !== 'udp') race.task(() => this.#introduceTcp(address));
      // Where the server is near, its answer is the next thing to wait for, and the rest is prepared meanwhile.
      if (path !== 'udp') await this.#requestedOr(FIRST_REQUEST_MS);
      if (race.decided) return;
      if (path === 'auto' || path === 'udp' || path === 'ipv6') race.task(() => this.#introduceUdp(address));
      if (path === 'auto' && this.#nat === 'unknown' && !this.#server.single) void this.#learnNat(address);
    });
    try {
      const result = await race.result;
      return { ...result, elapsedMs: Math.round(race.elapsedMs * 10) / 10 };
    } finally {
      if (this.#relayTimer) clearTimeout(this.#relayTimer);
      this.#ipv6?.close();
    }
  }

  /** Until the first request has left (or could not), at most `limitMs`. */
  async #requestedOr(limitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#onRequested = () => {
        clearTimeout(timer);
        // The bytes leave at the end of this turn.
        setImmediate(resolve);
      };
    });
  }

  #progress(step: ConnectStep['step'], detail: string): void {
    this.#options.onProgress?.({ step, detail });
  }

  get #serverName(): string {
    return formatHostPort(this.#server);
  }

  get #licenceKey(): string {
    return this.#server.key;
  }

  /** Behind a symmetric NAT the punch rarely works: the relay then needs no head start of direct paths. */
  async #learnNat(address: HostPort): Promise<void> {
    try {
      this.#nat = await (this.#options.natProbe ?? testNat(address, this.#serverName, this.#race.signal));
    } catch {
      // The introductions meet the same server and report what is wrong with it.
      return;
    }
    if (this.#nat === 'unknown') return;
    this.#options.onNat?.(this.#nat);
    if (this.#nat === 'symmetric') this.#relayWanted?.();
  }

  async #introduceTcp(address: HostPort): Promise<void> {
    const connection = await this.#open(address).catch((error: unknown) => {
      this.#onRequested();
      throw error;
    });
    try {
      await this.#introduce(connection, address, null);
    } finally {
      connection.destroy();
    }
  }

  async #introduceUdp(address: HostPort): Promise<void> {
    const socket = createPunchSocket(isIPv6(address.host) ? 'udp6' : 'udp4');
    let handedOver = false;
    const onError = (): void => {};
    socket.on('error', onError);
    try {
      const [connection, port] = await Promise.all([
        this.#open(address),
        observedUdpPort(socket, address, this.#race.signal),
      ]);
      try {
        if (port === 0) {
          if (this.#options.path === 'udp')
            throw pathImpossible('udp', 'the server does not answer over UDP, or UDP is blocked here');
          return;
        }
        handedOver = await this.#introduce(connection, address, { socket, port });
      } finally {
        connection.destroy();
      }
    } finally {
      if (!handedOver) socket.close();
    }
  }

  async #open(address: HostPort): Promise<RendezvousConnection> {
    const route = routeTo(this.#server, 'id');
    return await RendezvousConnection.open({ address, serverName: this.#serverName, route, signal: this.#race.signal });
  }

  /** Asks and follows the answer; true when the UDP socket is in use by an attempt. */
  async #introduce(
    connection: RendezvousConnection,
    address: HostPort,
    udp: { socket: UdpSocket; port: number } | null,
  ): Promise<boolean> {
    const { peerId, path, connType } = this.#options;
    const nat = this.#nat;
    const wantRelay = path === 'relay' || connection.isWebSocket;
    const started = performance.now();
    const request: hbb.IRendezvousMessage = {
      punchHoleRequest: {
        id: peerId,
        natType: wantRelay ? hbb.NatType.SYMMETRIC : natTypeToWire(nat),
        licenceKey: this.#licenceKey,
        connType,
        version: WIRE_VERSION,
        wantTicket: true,
        relayLatency: [...(this.#options.relays?.() ?? [])],
        ...(udp ? { udpPort: udp.port } : {}),
        ...(wantRelay ? { forceRelay: true } : {}),
        ...(this.#ipv6 ? { socketAddrV6: this.#ipv6.wireAddress } : {}),
      },
    };
    for (const waitMs of LOOKUP_WAITS_MS) {
      connection.send(request);
      this.#onRequested();
      const answer = await connection.receive(waitMs, this.#race.signal);
      if (!answer) continue;
      if (answer.punchHoleResponse) {
        const response = answer.punchHoleResponse as hbb.PunchHoleResponse;
        return this.#onPunchResponse(response, connection, address, udp, performance.now() - started);
      }
      if (answer.relayResponse) {
        this.#onRelayProposed(answer.relayResponse as hbb.RelayResponse, address, performance.now() - started);
        return false;
      }
    }
    throw peerSilent(peerId, performance.now() - started);
  }

  #onPunchResponse(
    response: hbb.PunchHoleResponse,
    connection: RendezvousConnection,
    address: HostPort,
    udp: { socket: UdpSocket; port: number } | null,
    punchMs: number,
  ): boolean {
    const { peerId, path } = this.#options;
    if (response.socketAddr.length === 0) {
      this.#race.fail(failureOf(response, peerId, this.#licenceKey));
      return false;
    }
    if (response.serverKeyId.length > 0) this.#options.onNewerKey?.();
    const remote = unmangleAddress(response.socketAddr);
    remote.host = normalizeHost(remote.host);
    const introduction: Introduction = {
      hostKey: this.#hostKey(response.pk),
      relayServer: response.relayServer,
    };
    if (path === 'relay' || (connection.isWebSocket && path === 'auto' && response.isLocal !== true)) {
      this.#tryIPv6(response.socketAddrV6, introduction.hostKey);
      this.#requestRelay(introduction, address);
      return false;
    }
    if (this.#tryIPv6(response.socketAddrV6, introduction.hostKey) && path === 'ipv6') return false;
    const lan = response.isLocal === true;
    const direct: ConnectionPath = lan ? 'lan' : isIPv6(remote.host) ? 'ipv6' : response.isUdp ? 'udp' : 'tcp';
    if (remote.port === 0 || (path !== 'auto' && path !== direct)) {
      if (path !== 'auto') throw pathImpossible(path, `the server offers ${direct}`);
      this.#requestRelay(introduction, address);
      return false;
    }
    this.#progress('punch', `${direct} ${formatHostPort(remote)}`);
    const useUdp = response.isUdp && udp !== null && !lan;
    this.#directRunning += 1;
    const onFailed = (): void => {
      this.#directRunning -= 1;
      if (this.#directRunning === 0 && path === 'auto') this.#requestRelay(introduction, address);
    };
    this.#race.attempt(
      direct,
      async (signal) => {
        let link: NetLink;
        if (useUdp)
          link = await punchUdp({
            socket: udp.socket,
            remote,
            role: 'connector',
            timeoutMs: PUNCH_TIMEOUT_MS,
            signal,
            link: STRANGER,
          });
        else {
          const localPort = lan ? 0 : connection.local.port;
          const timeoutMs = lan ? LAN_TIMEOUT_MS : PUNCH_TIMEOUT_MS;
          link = new TcpLink(await punchTcpAsController({ remote, localPort, timeoutMs, signal }), STRANGER);
        }
        return await this.#secure(link, introduction.hostKey, signal);
      },
      onFailed,
    );
    if (path === 'auto') {
      const headStartMs = Math.min(RELAY_HEAD_START_MS.max, Math.max(RELAY_HEAD_START_MS.min, 6 * punchMs));
      this.#relayTimer ??= setTimeout(() => this.#requestRelay(introduction, address), headStartMs);
      // Within one network the label of the NAT says nothing.
      if (!lan) {
        this.#relayWanted = () => this.#requestRelay(introduction, address);
        if (this.#nat === 'symmetric') this.#relayWanted();
      }
    }
    return useUdp;
  }

  /** Punches over IPv6 when both sides have named an address; once. */
  #tryIPv6(field: Uint8Array, hostKey: Uint8Array | null): boolean {
    const remote = ipv6Of(field);
    const hole = this.#ipv6;
    if (!remote || !hole || this.#race.decided) return false;
    const link = hole.punch(remote, 'connector', this.#race.signal);
    if (!link) return this.#ipv6Running;
    this.#ipv6Running = true;
    this.#progress('punch', `ipv6 ${formatHostPort(remote)}`);
    this.#race.attempt(
      'ipv6',
      async (signal) => await this.#secure(await link, hostKey, signal),
      () => {
        this.#ipv6Running = false;
      },
    );
    return true;
  }

  /** The peer asks us to meet at a relay (§9.2b, B-initiated). */
  #onRelayProposed(response: hbb.RelayResponse, address: HostPort, punchMs: number): void {
    if (response.refuseReason !== '') {
      this.#race.fail(relayRefused(response.refuseReason));
      return;
    }
    const { path } = this.#options;
    const hostKey = this.#hostKey(response.pk ?? new Uint8Array(0));
    const ipv6 = path !== 'relay' && this.#tryIPv6(response.socketAddrV6, hostKey);
    if (ipv6 && path === 'ipv6') return;
    if (path !== 'auto' && path !== 'relay')
      throw pathImpossible(path, 'one of the two networks lets no direct connection in, so the peer chose the relay');
    const relayServer = response.relayServer;
    if (this.#relayStarted) return;
    this.#relayStarted = true;
    this.#race.attempt(
      'relay',
      async (signal) => {
        if (ipv6) await this.#ipv6HeadStart(punchMs);
        return await this.#joinRelay({ relayServer, hostKey }, response.uuid, response.relayTicket, signal);
      },
      () => {
        this.#relayStarted = false;
        this.#requestRelay({ hostKey, relayServer }, address, 1);
      },
    );
  }

  /** The relay pairs whoever came first and costs the operator; a direct path that is as near deserves its chance. */
  async #ipv6HeadStart(punchMs: number): Promise<void> {
    const { roundTrips, minMs, maxMs } = IPV6_HEAD_START;
    const waitMs = Math.min(maxMs, Math.max(minMs, roundTrips * punchMs));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      const stop = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#race.signal.addEventListener('abort', stop, { once: true });
    });
    if (this.#race.decided) throw aborted();
  }

  #requestRelay(introduction: Introduction, address: HostPort, triesUsed = 0): void {
    if (this.#relayStarted || this.#race.decided || triesUsed >= RELAY_TRIES) return;
    this.#relayStarted = true;
    this.#race.attempt(
      'relay',
      async (signal) => {
        const connection = await this.#open(address);
        const uuid = randomUUID();
        let ticket: Uint8Array | null | undefined;
        try {
          connection.send({
            requestRelay: {
              id: this.#options.peerId,
              uuid,
              relayServer: introduction.relayServer,
              secure: introduction.hostKey !== null,
              connType: this.#options.connType,
              wantTicket: true,
            },
          });
          const answer = (await connection.receive(RELAY_ANSWER_TIMEOUT_MS, signal))?.relayResponse;
          if (!answer) throw peerSilent(this.#options.peerId, RELAY_ANSWER_TIMEOUT_MS);
          if (answer.refuseReason) throw relayRefused(answer.refuseReason);
          ticket = answer.relayTicket;
        } finally {
          connection.destroy();
        }
        return await this.#joinRelay(introduction, uuid, ticket, signal);
      },
      () => {
        this.#relayStarted = false;
        this.#requestRelay(introduction, address, triesUsed + 1);
      },
    );
  }

  async #joinRelay(
    { relayServer, hostKey }: Introduction,
    uuid: string,
    ticket: Uint8Array | null | undefined,
    signal: AbortSignal,
  ): Promise<SecuredLink> {
    const relay = relayAddress(relayServer, this.#server);
    const name = formatHostPort(relay);
    this.#progress('relay', name);
    const link = await joinRelay(
      relay,
      {
        licenceKey: this.#licenceKey,
        id: this.#options.peerId,
        uuid,
        connType: this.#options.connType,
        ...(ticket?.length ? { relayTicket: ticket } : {}),
      },
      signal,
    );
    try {
      return await this.#secure(link, hostKey, signal);
    } catch (error) {
      const code = error instanceof LiteDeskError ? error.code : '';
      if (code === 'HANDSHAKE_PEER_CLOSED' || code === 'HANDSHAKE_TIMEOUT') throw relayNotPaired(name, error);
      throw error;
    }
  }

  async #secure(link: NetLink, hostKey: Uint8Array | null, signal: AbortSignal): Promise<SecuredLink> {
    this.#progress('handshake', link.remoteAddress);
    try {
      return await secureAsController(link, {
        peerId: this.#options.peerId,
        hostKey,
        allowPlaintext: this.#options.allowPlaintext,
        pinned: this.#options.pinned,
        ...(this.#options.identity ? { native: { identity: this.#options.identity } } : {}),
        timeoutMs: HANDSHAKE_TIMEOUT_MS,
        signal,
      });
    } catch (error) {
      link.destroy();
      if (error instanceof LiteDeskError && FATAL_HANDSHAKES.has(error.code)) this.#race.fail(error);
      throw error;
    }
  }

  /** The peer's key as the server vouches for it (§11.1); null where that does not verify or names another id. */
  #hostKey(signed: Uint8Array): Uint8Array | null {
    if (signed.length === 0 || this.#server.key === '') return null;
    const serverKey = Buffer.from(this.#server.key, 'base64');
    if (serverKey.length !== 32) return null;
    const vouched = openIdPk(signed, serverKey);
    return vouched && vouched.id === this.#options.peerId && vouched.pk.length === 32 ? vouched.pk : null;
  }
}

function failureOf(response: hbb.PunchHoleResponse, id: string, licenceKey: string): LiteDeskError {
  const Failure = hbb.PunchHoleResponse.Failure;
  // Our servers explain a wrong key to stock clients in words; ours has its own.
  if (response.failure === Failure.LICENSE_MISMATCH && response.serverKeyId.length > 0)
    return keyMismatch(licenceKey, response.serverKeyId);
  if (response.otherFailure !== '') return lookupRefused(response.otherFailure);
  switch (response.failure) {
    case Failure.OFFLINE:
      return peerOffline(id);
    case Failure.LICENSE_MISMATCH:
      return keyMismatch(licenceKey, null);
    case Failure.LICENSE_OVERUSE:
      return lookupRefused('the server is licensed for fewer users');
    default:
      return idNotFound(id);
  }
}

/** The UDP port under which the server sees the socket (§9.5 (1)); 0 when no answer came. */
function observedUdpPort(socket: UdpSocket, server: HostPort, signal: AbortSignal): Promise<number> {
  return new Promise((resolve) => {
    const timers: NodeJS.Timeout[] = [];
    const finish = (port: number): void => {
      for (const timer of timers) clearTimeout(timer);
      socket.off('message', onMessage);
      signal.removeEventListener('abort', onAbort);
      resolve(port);
    };
    const onAbort = (): void => finish(0);
    const onMessage = (data: Buffer, from: { address: string }): void => {
      if (normalizeHost(from.address) !== server.host) return;
      try {
        const port = decodeRendezvous(data).testNatResponse?.port ?? 0;
        if (port > 0 && port < 65536) finish(port);
      } catch {
        // Not an answer; go on waiting.
      }
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('message', onMessage);
    // As long as the answer, at least: a server sends nobody more than it got from there. A negative number takes ten bytes.
    const request = encodeRendezvous({ testNatRequest: { serial: -1 } });
    for (const delayMs of UDP_PROBE_MS)
      timers.push(setTimeout(() => socket.send(request, server.port, server.host, () => {}), delayMs));
    timers.push(setTimeout(() => finish(0), UDP_PROBE_TIMEOUT_MS));
    if (signal.aborted) finish(0);
  });
}
