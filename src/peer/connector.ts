/**
 * The controller's way to a peer (rendezvous §9.1, §9.2): asks the server for an introduction over TCP and, with the UDP
 * port of a proven socket, for UDP; races what comes of it; asks for the relay when direct paths had their head start.
 */
import type { Socket as UdpSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { hbb, normalizeHost, unmangleAddress } from '../core/wire/index.ts';
import type { HostPort } from '../core/wire/index.ts';
import { formatHostPort, TcpLink } from '../net/index.ts';
import type { NetLink } from '../net/index.ts';
import { createPunchSocket, punchUdp } from '../net/punch-udp.ts';
import type { ConnectPeerOptions, ConnectStep, PeerConnection } from './connect-options.ts';
import { noServer, pathImpossible, peerSilent, relayRefused } from './errors.ts';
import { HeadStart } from './head-start.ts';
import { KeyExchanges } from './key-exchanges.ts';
import { lookupFailure } from './lookup-failure.ts';
import { natTypeToWire, testNat } from './nat-test.ts';
import type { NatType } from './nat-test.ts';
import { PUNCH_TIMEOUT_MS, punchTcpAsController } from './punch-tcp.ts';
import { IPv6Hole, ipv6Of } from './punch-v6.ts';
import { PathRace } from './race.ts';
import type { ConnectionPath } from './race.ts';
import { type Introduction, RelayAttempts } from './relay-attempts.ts';
import { RendezvousConnection, resolveServer } from './rendezvous-client.ts';
import { routeTo } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';
import { observedUdpPort } from './udp-port.ts';
import { WIRE_VERSION } from './version.ts';

/** Waits for the peer's answer; the request is sent again each time, since its push to the peer may be lost. */
const LOOKUP_WAITS_MS = [1_500, 3_000, 4_500] as const;
/** Where the server said at once that the peer is asked, the first repeats come after these, or so many of its round trips. */
const QUICK_WAITS = { ms: [400, 800], roundTrips: 6 } as const;
/** The request that was not answered during the head start is repeated so many ms behind it, when the rest has begun. */
const AGAIN_AFTER_MS = 3;
/** How long direct paths run alone before the relay joins the race. */
const RELAY_HEAD_START_MS = { min: 1_000, max: 3_000 } as const;
const LAN_TIMEOUT_MS = 3_000;
/** Whoever answers is a stranger until the key exchange has shown the host's key. */
const STRANGER = { maxPayload: PAYLOAD_LIMITS.handshake } as const;

/** A request that was answered. */
interface Asked {
  readonly connection: RendezvousConnection;
  readonly address: HostPort;
  readonly udp: { readonly socket: UdpSocket; readonly port: number } | null;
  /** Each time it was sent it named our place at the relay. */
  readonly offered: boolean;
  /** Until the answer. */
  readonly punchMs: number;
}

/**
 * Finds the peer and returns the first secured link; between native peers further paths come through `further` after that.
 * Errors: every stage up to `handshake`.
 */
export async function connectPeer(options: ConnectPeerOptions): Promise<PeerConnection> {
  if (!options.server) throw noServer();
  return await new Connector(options, options.server).run();
}

class Connector {
  readonly #options: ConnectPeerOptions;
  readonly #server: ServerAddress;
  readonly #race: PathRace;
  readonly #keys: KeyExchanges;
  #relayTimer: NodeJS.Timeout | null = null;
  #directRunning = 0;
  #nat: NatType;
  #ipv6: IPv6Hole | null = null;
  #ipv6Looked: Promise<void> = Promise.resolve();
  #ipv6Running = false;
  readonly #headStart = new HeadStart();
  /** A request has left. */
  #asked = false;
  readonly #relay: RelayAttempts;
  /** Asks for the relay as the way back of a session that began without it. */
  #standby: (() => void) | null = null;
  /** Where the relay would be asked for, once the peer has answered. */
  #relayWanted: (() => void) | null = null;

  constructor(options: ConnectPeerOptions, server: ServerAddress) {
    this.#options = options;
    this.#server = server;
    this.#nat = options.nat;
    this.#race = new PathRace(options.signal);
    this.#keys = new KeyExchanges(options, server, (error) => this.#race.fail(error));
    this.#relay = new RelayAttempts({
      options,
      server,
      race: this.#race,
      keys: this.#keys,
      open: (address) => this.#open(address),
    });
    this.#race.signal.addEventListener('abort', () => this.#cleanUp(), { once: true });
    void this.#race.result.then(
      ({ path }) => (path === 'relay' ? this.#headStart.end() : this.#headStart.direct()),
      () => {},
    );
  }

  async run(): Promise<PeerConnection> {
    const { path, peerId } = this.#options;
    const race = this.#race;
    this.#progress('lookup', peerId);
    if (path === 'auto' || path === 'ipv6') this.#ipv6Looked = this.#lookForIPv6();
    race.task(async () => {
      const address = await resolveServer(this.#server, race.signal);
      if (path !== 'udp') race.task(() => this.#introduceTcp(address));
      if (path !== 'udp') await this.#headStart.over;
      if (race.over) return;
      if (path === 'auto' && this.#options.identity && !race.decided) {
        this.#relay.waitThere();
        // The peer was asked already, and does not know of the place there.
        if (this.#asked) race.task(() => this.#introduceTcp(address));
      }
      if (path === 'auto' || path === 'udp' || path === 'ipv6') race.task(() => this.#introduceUdp(address));
      if (path === 'auto' && this.#nat === 'unknown' && !this.#server.single) void this.#learnNat(address);
    });
    const result = await race.result;
    if (result.link.native && result.path !== 'relay') void this.#headStart.over.then(() => this.#standby?.());
    return { ...result, elapsedMs: Math.round(race.elapsedMs * 10) / 10, further: race };
  }

  #cleanUp(): void {
    if (this.#relayTimer) clearTimeout(this.#relayTimer);
    this.#headStart.end();
    this.#relay.drop();
    this.#ipv6?.close();
  }

  /** Our own address over IPv6 is there by the time that the server is. */
  async #lookForIPv6(): Promise<void> {
    const hole = await IPv6Hole.open();
    if (this.#race.over) hole?.close();
    else this.#ipv6 = hole;
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
      this.#nat = await (this.#options.natProbe ?? testNat(address, this.#serverName, this.#race.signal, undefined, this.#options.onTold));
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
      this.#headStart.end();
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
    await this.#ipv6Looked;
    const nat = this.#nat;
    const wantRelay = path === 'relay' || connection.isWebSocket;
    const started = performance.now();
    const request = (): hbb.IRendezvousMessage => ({
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
        ...(this.#relay.earlyUuid === null ? {} : { relayUuid: this.#relay.earlyUuid }),
        ...(this.#ipv6 ? { socketAddrV6: this.#ipv6.wireAddress } : {}),
      },
    });
    let quick = 0;
    let offered = true;
    for (let tries = 0; tries < LOOKUP_WAITS_MS.length; ) {
      offered &&= this.#relay.earlyUuid !== null;
      this.#asked = true;
      connection.send(request());
      const aloneMs = this.#headStart.requested();
      // What was only late is late once more; what was lost comes with a place at the relay now.
      const ms = aloneMs > 0 ? aloneMs + AGAIN_AFTER_MS : (LOOKUP_WAITS_MS[tries] as number);
      const { answer, hurried } = await this.#answer(connection, { ms, quickMs: QUICK_WAITS.ms[quick] ?? Infinity }, address);
      if (answer) this.#headStart.answered();
      if (hurried) quick++;
      else if (aloneMs === 0) tries++;
      if (!answer) continue;
      if (answer.punchHoleResponse) {
        const response = answer.punchHoleResponse as hbb.PunchHoleResponse;
        return this.#onPunchResponse(response, { connection, address, udp, offered, punchMs: performance.now() - started });
      }
      if (answer.relayResponse) {
        this.#onRelayProposed(answer.relayResponse as hbb.RelayResponse, address, performance.now() - started);
        return false;
      }
    }
    throw peerSilent(peerId, performance.now() - started);
  }

  /** The answer to a request; what the server says before that is taken on the way, or is of a newer one and skipped. */
  async #answer(
    connection: RendezvousConnection,
    { ms, quickMs }: { readonly ms: number; readonly quickMs: number },
    address: HostPort,
  ): Promise<{ answer: hbb.RendezvousMessage | null; hurried: boolean }> {
    const sent = performance.now();
    let waitMs = ms;
    for (;;) {
      const leftMs = sent + waitMs - performance.now();
      const answer = leftMs > 0 ? await connection.receive(leftMs, this.#race.signal) : null;
      if (!answer) return { answer, hurried: waitMs < ms };
      if (answer.punchHoleResponse || answer.relayResponse) return { answer, hurried: false };
      if (!answer.relayMeeting) continue;
      waitMs = Math.min(ms, Math.max(quickMs, QUICK_WAITS.roundTrips * (performance.now() - sent)));
      this.#relay.onMeeting(answer.relayMeeting as hbb.RelayMeeting, address);
    }
  }

  #onPunchResponse(
    response: hbb.PunchHoleResponse,
    { connection, address, udp, offered, punchMs }: Asked,
  ): boolean {
    const { peerId, path } = this.#options;
    if (response.socketAddr.length === 0) {
      this.#race.fail(lookupFailure(response, peerId, this.#licenceKey));
      return false;
    }
    if (response.serverKeyId.length > 0) this.#options.onNewerKey?.();
    const remote = unmangleAddress(response.socketAddr);
    remote.host = normalizeHost(remote.host);
    const introduction: Introduction = {
      hostKey: this.#keys.hostKey(response.pk),
      relayServer: response.relayServer,
    };
    if (path === 'auto') this.#standby = () => this.#relay.request(introduction, address, { byChoice: true });
    // Who was asked before there was a place at the relay says nothing of it, and may come there still.
    if (offered || response.relayUuid !== '') this.#relay.takeEarly(introduction, response, address);
    if (path === 'relay' || (connection.isWebSocket && path === 'auto' && response.isLocal !== true)) {
      this.#tryIPv6(response.socketAddrV6, introduction.hostKey);
      this.#relay.request(introduction, address);
      return false;
    }
    if (this.#tryIPv6(response.socketAddrV6, introduction.hostKey) && path === 'ipv6') return false;
    const lan = response.isLocal === true;
    const direct: ConnectionPath = lan ? 'lan' : isIPv6(remote.host) ? 'ipv6' : response.isUdp ? 'udp' : 'tcp';
    if (remote.port === 0 || (path !== 'auto' && path !== direct)) {
      if (path !== 'auto') throw pathImpossible(path, `the server offers ${direct}`);
      this.#relay.request(introduction, address);
      return false;
    }
    this.#progress('punch', `${direct} ${formatHostPort(remote)}`);
    const useUdp = response.isUdp && udp !== null && !lan;
    this.#directRunning += 1;
    const onFailed = (): void => {
      this.#directRunning -= 1;
      if (this.#directRunning === 0 && path === 'auto') this.#relay.request(introduction, address);
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
        return await this.#keys.secure(link, introduction.hostKey, signal);
      },
      onFailed,
    );
    if (path === 'auto') {
      const headStartMs = Math.min(RELAY_HEAD_START_MS.max, Math.max(RELAY_HEAD_START_MS.min, 6 * punchMs));
      this.#relayTimer ??= setTimeout(() => this.#relay.request(introduction, address), headStartMs);
      // Within one network the label of the NAT says nothing.
      if (!lan) {
        this.#relayWanted = () => this.#relay.request(introduction, address);
        if (this.#nat === 'symmetric') this.#relayWanted();
      }
    }
    return useUdp;
  }

  /** Punches over IPv6 when both sides have named an address; once. */
  #tryIPv6(field: Uint8Array, hostKey: Uint8Array | null): boolean {
    const remote = ipv6Of(field);
    const hole = this.#ipv6;
    if (!remote || !hole || this.#race.over) return false;
    const link = hole.punch(remote, 'connector', this.#race.signal);
    if (!link) return this.#ipv6Running;
    this.#ipv6Running = true;
    this.#progress('punch', `ipv6 ${formatHostPort(remote)}`);
    this.#race.attempt(
      'ipv6',
      async (signal) => await this.#keys.secure(await link, hostKey, signal),
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
    const hostKey = this.#keys.hostKey(response.pk ?? new Uint8Array(0));
    const ipv6 = path !== 'relay' && this.#tryIPv6(response.socketAddrV6, hostKey);
    if (ipv6 && path === 'ipv6') return;
    if (path !== 'auto' && path !== 'relay')
      throw pathImpossible(path, 'one of the two networks lets no direct connection in, so the peer chose the relay');
    this.#relay.joinProposed(response, hostKey, address, ipv6 ? punchMs : null);
  }
}
