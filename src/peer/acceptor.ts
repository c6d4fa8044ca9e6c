/**
 * The controlled side of an introduction (rendezvous §9.3, §9.4): answers PunchHole, FetchLocalAddr and RequestRelay, and
 * yields links whose key exchange is done.
 */
import { randomUUID } from 'node:crypto';
import { isIPv6 } from 'node:net';
import type { Socket } from 'node:net';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { encodeRendezvous, hbb, mangleAddress, normalizeHost, unmangleAddress } from '../core/wire/index.ts';
import type { HostPort } from '../core/wire/index.ts';
import { secureAsHost, TcpLink } from '../net/index.ts';
import type { NetLink, SecuredLink } from '../net/index.ts';
import { createPunchSocket, punchUdp } from '../net/punch-udp.ts';
import type { Admission, AdmissionGate } from './admission.ts';
import { tooManyStrangers } from './errors.ts';
import type { Identity } from './identity.ts';
import { natTypeToWire } from './nat-test.ts';
import type { NatType } from './nat-test.ts';
import { acceptOne, PUNCH_TIMEOUT_MS, punchTcpAsControlled } from './punch-tcp.ts';
import { IPv6Hole, ipv6Of, offerV6 } from './punch-v6.ts';
import type { ConnectionPath } from './race.ts';
import { joinRelay } from './relay.ts';
import { RendezvousConnection } from './rendezvous-client.ts';
import { relayAddress, routeTo } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';
import { WIRE_VERSION } from './version.ts';

/** A repeated introduction of the same controller within this time is one that the network doubled (§9.3). */
const DUPLICATE_MS = 100;
/** Introductions handled at the same time; each holds a socket or two for up to 18 s. */
const MAX_PENDING = 64;
/** For the server's answer with our relay ticket; it comes within a round trip or never. */
const TICKET_TIMEOUT_MS = 1_500;
const HANDSHAKE_TIMEOUT_MS = 18_000;
/** For so long a place at the relay is not gone to twice; a controller repeats its request within this time. */
const MEETING_MS = 20_000;
const NO_BYTES = new Uint8Array(0);
/** Nobody has proven anything on a fresh link. */
const STRANGER = { maxPayload: PAYLOAD_LIMITS.handshake } as const;
/** §9.3: PunchHoleSent leaves three times, since UDP may lose it. */
const PUNCH_SENT_REPEAT_MS = [0, 15, 40] as const;

export type IncomingPath = ConnectionPath;

export interface IncomingLink {
  readonly link: SecuredLink;
  readonly path: IncomingPath;
  /** The place among those who have not logged in; the owner of the link gives it back. */
  readonly admission: Admission;
}

export interface AcceptorOptions {
  readonly server: ServerAddress;
  readonly identity: () => Identity;
  readonly nat: () => NatType;
  readonly serverAddress: () => HostPort | null;
  /** The server's datagrams reach us. */
  readonly hasUdp: () => boolean;
  /** A connection to the server's own relay that is there already (spare-relay.ts). */
  readonly takeSpareRelay: () => NetLink | null;
  readonly allowPlaintext: boolean;
  /** Shared by every way in, the direct access port too. */
  readonly gate: AdmissionGate;
  readonly onLink: (incoming: IncomingLink) => void;
  /** A controller could not verify our key: the server should be told it again (§11.2). */
  readonly onKeyDoubted: () => void;
  /** The secret of a session that takes further paths, by its id (core/native/contract.ts). Null: no native links. */
  readonly findSession: ((sessionId: Uint8Array) => Uint8Array | null) | null;
  readonly onFailure: (step: string, error: unknown) => void;
}

/** The place at the relay that we are on our way to, if there is one. */
interface Meeting {
  readonly relayUuid?: string;
}

export class Acceptor {
  readonly #options: AcceptorOptions;
  readonly #abort = new AbortController();
  readonly #seen = new Map<string, number>();
  /** Holes over IPv6 that are open now, and the address of each for the answer. */
  readonly #holes = new Map<string, Promise<Uint8Array>>();
  /** Places at the relay that we went to lately, and when. */
  readonly #meetings = new Map<string, number>();
  #pending = 0;

  constructor(options: AcceptorOptions) {
    this.#options = options;
  }

  stop(): void {
    this.#abort.abort();
  }

  /** Takes one push of the server. */
  handle(message: hbb.RendezvousMessage): void {
    if (message.punchHole) this.#introduce('punch', message.punchHole.socketAddr, (a) => this.#punchHole(message.punchHole as hbb.PunchHole, a));
    else if (message.fetchLocalAddr)
      this.#introduce('punch', message.fetchLocalAddr.socketAddr, (a) =>
        this.#fetchLocalAddr(message.fetchLocalAddr as hbb.FetchLocalAddr, a),
      );
    else if (message.requestRelay)
      this.#introduce('relay', message.requestRelay.socketAddr, (a) =>
        this.#requestRelay(message.requestRelay as hbb.RequestRelay, a),
      );
  }

  #introduce(kind: string, socketAddr: Uint8Array, work: (controller: HostPort) => Promise<void>): void {
    const controller = unmangleAddress(socketAddr);
    const key = `${kind} ${controller.host} ${controller.port}`;
    const now = performance.now();
    for (const [other, at] of this.#seen) if (now - at > DUPLICATE_MS) this.#seen.delete(other);
    if (this.#seen.has(key) || this.#pending >= MAX_PENDING || this.#abort.signal.aborted) return;
    this.#seen.set(key, now);
    this.#pending += 1;
    work(controller)
      .catch((error: unknown) => {
        if (!this.#abort.signal.aborted) this.#options.onFailure(kind, error);
      })
      .finally(() => {
        this.#pending -= 1;
      });
  }

  async #openServer(): Promise<RendezvousConnection> {
    const address = this.#options.serverAddress() ?? this.#options.server;
    return await RendezvousConnection.open({
      address,
      serverName: `${this.#options.server.host}:${this.#options.server.port}`,
      route: routeTo(this.#options.server, 'id'),
      signal: this.#abort.signal,
    });
  }

  async #punchHole(message: hbb.PunchHole, controller: HostPort): Promise<void> {
    const symmetric = hbb.NatType.SYMMETRIC;
    const meeting = this.#meetAtRelay(message, controller);
    const v6 = message.forceRelay ? NO_BYTES : await this.#listenV6(message.socketAddrV6);
    if (message.natType === symmetric || this.#options.nat() === 'symmetric' || message.forceRelay)
      return await this.#createRelay(
        { socketAddr: message.socketAddr, relayServer: message.relayServer, v6, ...meeting },
        controller,
      );
    if (message.udpPort > 0 && message.udpPort < 65536)
      return await this.#punchUdp(message, { ...offerV6(v6), ...meeting }, { host: normalizeHost(controller.host), port: message.udpPort });
    await this.#punchTcp(message, v6, meeting, { host: normalizeHost(controller.host), port: controller.port });
  }

  /** Goes to the relay where a native controller waits, and gives what to say of it; stock ones do not wait there. */
  #meetAtRelay({ relayUuid, relayTicket, relayServer, relayUdp }: hbb.PunchHole, controller: HostPort): Meeting {
    if (relayUuid === '' || !this.#options.findSession) return {};
    // The controller names one place in each of its requests.
    const now = performance.now();
    for (const [other, at] of this.#meetings) if (now - at > MEETING_MS) this.#meetings.delete(other);
    if (!this.#meetings.has(relayUuid) && this.#meetings.size < MAX_PENDING) {
      this.#meetings.set(relayUuid, now);
      // Who is registered over TCP is where datagrams do not get through.
      const udp = relayUdp && this.#options.hasUdp();
      const spare = relayUdp && !udp ? this.#options.takeSpareRelay() : null;
      const relay = { ...relayAddress(relayServer, this.#options.server), udp, spare };
      const request = {
        licenceKey: this.#options.server.key,
        uuid: relayUuid,
        ...(relayTicket.length > 0 ? { relayTicket } : {}),
      };
      joinRelay(relay, 'controlled', request, this.#abort.signal).then(
        (link) => this.#secure(link, 'relay', controller),
        (error: unknown) => {
          if (!this.#abort.signal.aborted) this.#options.onFailure('relay', error);
        },
      );
    }
    return { relayUuid };
  }

  /** Opens the hole towards the controller's IPv6 address and gives our own for the answer; empty where there is no such path. */
  async #listenV6(field: Uint8Array | null | undefined): Promise<Uint8Array> {
    const remote = ipv6Of(field);
    const key = remote ? `v6 ${remote.host} ${remote.port}` : '';
    // The controller names one socket in each of its requests; one hole of ours serves them all.
    const known = this.#holes.get(key);
    if (known) return await known;
    if (!remote) return NO_BYTES;
    const opened = this.#openV6(remote, key);
    this.#holes.set(key, opened);
    return await opened;
  }

  async #openV6(remote: HostPort, key: string): Promise<Uint8Array> {
    const hole = await IPv6Hole.open();
    const link = hole?.punch(remote, 'acceptor', this.#abort.signal);
    if (!hole || !link) {
      this.#holes.delete(key);
      return NO_BYTES;
    }
    // Most controllers take another path meanwhile: that nobody came is not worth a word.
    link
      .then((through) => this.#secure(through, 'ipv6', remote), () => {})
      .finally(() => this.#holes.delete(key));
    return hole.wireAddress;
  }

  async #punchUdp(message: hbb.PunchHole, more: hbb.IPunchHoleSent, remote: HostPort): Promise<void> {
    const server = this.#options.serverAddress();
    if (!server) return;
    const socket = createPunchSocket(isIPv6(remote.host) ? 'udp6' : 'udp4');
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, () => {
        socket.off('error', reject);
        resolve();
      });
    });
    // The hole first: a stock controller sends its only SYN as soon as it hears of us (§9.3).
    const punched = punchUdp({
      socket,
      remote,
      role: 'acceptor',
      // Keeps the socket free to talk to the server until the controller is heard, and follows a NAT that changes ports.
      allowPortChange: true,
      timeoutMs: PUNCH_TIMEOUT_MS,
      signal: this.#abort.signal,
      link: STRANGER,
    });
    const announcement = encodeRendezvous({ punchHoleSent: this.#holeTo(message, more) });
    let open = true;
    for (const delayMs of PUNCH_SENT_REPEAT_MS)
      setTimeout(() => {
        if (!open) return;
        try {
          socket.send(announcement, server.port, server.host, () => {});
        } catch {
          // The controller was heard meanwhile and the socket is its alone: nothing is left to announce.
        }
      }, delayMs);
    try {
      const link = await punched;
      void this.#secure(link, 'udp', remote);
    } finally {
      // The socket belongs to the link or is closed from here on; what was to be said has been said.
      open = false;
    }
  }

  async #punchTcp(message: hbb.PunchHole, v6: Uint8Array, meeting: Meeting, controller: HostPort): Promise<void> {
    const connection = await this.#openServer();
    // Whose address a web proxy hides cannot be dialled, and behind one we cannot say where the hole is.
    if (controller.port === 0 || connection.isWebSocket) {
      connection.destroy();
      return await this.#createRelay(
        { socketAddr: message.socketAddr, relayServer: message.relayServer, v6, ...meeting },
        controller,
      );
    }
    const socket = await punchTcpAsControlled({
      remote: controller,
      localPort: connection.local.port,
      rttMs: connection.rttMs,
      signal: this.#abort.signal,
      opened: () => {
        connection.send({ punchHoleSent: this.#holeTo(message, { ...offerV6(v6), ...meeting }) });
        connection.close();
      },
    });
    void this.#secure(new TcpLink(socket, STRANGER), 'tcp', controller);
  }

  /** What the controller is told of the hole that it may come through. */
  #holeTo({ socketAddr, relayServer }: hbb.PunchHole, more: hbb.IPunchHoleSent): hbb.IPunchHoleSent {
    const { identity, nat } = this.#options;
    return { socketAddr, relayServer, id: identity().id, natType: natTypeToWire(nat()), version: WIRE_VERSION, ...more };
  }

  async #fetchLocalAddr(message: hbb.FetchLocalAddr, controller: HostPort): Promise<void> {
    const [v6, connection] = await Promise.all([this.#listenV6(message.socketAddrV6), this.#openServer()]);
    if (connection.isWebSocket) {
      connection.destroy();
      return await this.#createRelay(
        { socketAddr: message.socketAddr, relayServer: message.relayServer, v6 },
        controller,
      );
    }
    const local = { host: normalizeHost(connection.local.host), port: connection.local.port };
    let socket: Socket;
    try {
      socket = await acceptOne(local, {
        timeoutMs: PUNCH_TIMEOUT_MS,
        signal: this.#abort.signal,
        onListening: () => {
          connection.send({
            localAddr: {
              socketAddr: message.socketAddr,
              localAddr: mangleAddress(local),
              relayServer: message.relayServer,
              id: this.#options.identity().id,
              version: WIRE_VERSION,
              ...offerV6(v6),
            },
          });
          connection.close();
        },
      });
    } catch (error) {
      connection.destroy();
      if ((error as NodeJS.ErrnoException).code === undefined || controller.port === 0) throw error;
      // The address could not be listened on: the relay is what is left (§9.3).
      return await this.#createRelay({ socketAddr: message.socketAddr, relayServer: message.relayServer }, controller);
    }
    void this.#secure(new TcpLink(socket, STRANGER), 'lan', { host: socket.remoteAddress ?? '' });
  }

  async #requestRelay(message: hbb.RequestRelay, controller: HostPort): Promise<void> {
    await this.#createRelay(
      { socketAddr: message.socketAddr, relayServer: message.relayServer, uuid: message.uuid },
      controller,
    );
  }

  /** §9.4. Without `uuid` we are the ones who propose the relay; `relayUuid`: where we are on our way to already. */
  async #createRelay(
    request: { socketAddr: Uint8Array; relayServer: string; uuid?: string; v6?: Uint8Array; relayUuid?: string },
    controller: HostPort,
  ): Promise<void> {
    const connection = await this.#openServer();
    const meets = request.relayUuid !== undefined;
    const uuid = request.uuid ?? request.relayUuid ?? randomUUID();
    connection.send({
      relayResponse: {
        socketAddr: request.socketAddr,
        version: WIRE_VERSION,
        ...(meets ? {} : { wantTicket: true }),
        ...offerV6(request.v6 ?? NO_BYTES),
        ...(request.uuid === undefined
          ? { uuid, relayServer: request.relayServer, id: this.#options.identity().id }
          : {}),
      },
    });
    if (meets) return connection.close();
    const link = await joinRelay(
      relayAddress(request.relayServer, this.#options.server),
      'controlled',
      this.#withTicket(connection, { licenceKey: this.#options.server.key, uuid }),
      this.#abort.signal,
    );
    // The relay's own address stands for everybody who comes through it.
    await this.#secure(link, 'relay', controller);
  }

  /** What the relay is told: with our ticket, if the server gives one (a stock server closes the connection instead). */
  async #withTicket(connection: RendezvousConnection, request: hbb.IRequestRelay): Promise<hbb.IRequestRelay> {
    let answer: hbb.RendezvousMessage | null = null;
    try {
      answer = await connection.receive(TICKET_TIMEOUT_MS, this.#abort.signal);
    } catch {
      // Then the relay has to know the uuid.
    }
    connection.close();
    const ticket = answer?.relayResponse?.relayTicket;
    return ticket?.length ? { ...request, relayTicket: ticket } : request;
  }

  /** Finishes the key exchange; a failure concerns this link only. */
  async #secure(link: NetLink, path: IncomingPath, from: { readonly host: string }): Promise<void> {
    const admission = await this.#options.gate.admitSoon(from.host, () => link.destroy(), this.#abort.signal);
    if (!admission) {
      link.destroy();
      this.#options.onFailure('handshake', tooManyStrangers(from.host));
      return;
    }
    const { id, secretKey } = this.#options.identity();
    secureAsHost(link, {
      id,
      signSecretKey: secretKey,
      timeoutMs: HANDSHAKE_TIMEOUT_MS,
      signal: this.#abort.signal,
      allowPlaintext: this.#options.allowPlaintext,
      onKeyDoubted: this.#options.onKeyDoubted,
      ...(this.#options.findSession ? { native: { findSession: this.#options.findSession } } : {}),
    }).then(
      (secured) => this.#options.onLink({ link: secured, path, admission }),
      (error: unknown) => {
        admission.release();
        link.destroy();
        if (!this.#abort.signal.aborted) this.#options.onFailure('handshake', error);
      },
    );
  }
}
