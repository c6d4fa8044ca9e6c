/**
 * The rendezvous server as rules over messages (rendezvous §5 to §6): who is told what. Sockets are in udp-port.ts,
 * tcp-port.ts and ws-port.ts; nothing here waits, except for the store's commit.
 */
import { signIdPk } from '../core/crypto/index.ts';
import type { Clock } from '../core/clock.ts';
import {
  decodeRendezvous,
  encodeRendezvous,
  type HostPort,
  hbb,
  mangleAddress,
  rewriteRequestRelay,
} from '../core/wire/index.ts';
import { type Ask, Asks } from './asks.ts';
import type { Client, UdpPath } from './client.ts';
import type { Counters } from './counters.ts';
import { failureReason, introducedReason, registerReason } from './observe/wire-reasons.ts';
import type { ServerLimits } from './limits.ts';
import type { Peer, PeerTable } from './peer-table.ts';
import { RecentSources } from './recent-sources.ts';

const Result = hbb.RegisterPkResponse.Result;
const Failure = hbb.PunchHoleResponse.Failure;
const NO_BYTES = new Uint8Array(0);
const HEARTBEAT_OK = encodeRendezvous({ registerPeerResponse: {} });
const HEARTBEAT_SEND_PK = encodeRendezvous({ registerPeerResponse: { requestPk: true } });

export interface RendezvousOptions {
  readonly peers: PeerTable;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  /** What clients must send as licence_key; '' accepts everything. */
  readonly licenceKey: string;
  /** Signs ids (64 bytes). */
  readonly secretKey: Uint8Array;
  /** The next configured relay, or '' when there is none. */
  readonly pickRelay: () => string;
  /** Port of the built-in relay; 0: off. */
  readonly relayPort: number;
  /** Our own port: a client without other word takes the relay from the port behind it (rendezvous §9.3). */
  readonly port: number;
  readonly alwaysRelay: boolean;
  readonly isLan: (host: string) => boolean;
  /** Relay host for peers inside the mask; '' when none is known. */
  readonly localIp: string;
  /** Deprecated list for clients with a lower serial (rendezvous §6.8). */
  readonly serial: number;
  readonly rendezvousServers: readonly string[];
}

export class Rendezvous {
  readonly #o: RendezvousOptions;
  readonly #asks: Asks;
  readonly #natTests: RecentSources;
  /** Ids registered by a connection. */
  readonly #presences = new Map<Client, string>();

  constructor(options: RendezvousOptions) {
    this.#o = options;
    this.#asks = new Asks(options.limits, options.clock);
    this.#natTests = new RecentSources(options.limits.natTestDedupeMs, options.limits.maxNatTestsPerSlot, options.clock);
  }

  /** Requests that wait for an answer; for tests and metrics. */
  get pendingAsks(): number {
    return this.#asks.size;
  }

  /** Regular upkeep; call every few seconds. */
  sweep(): void {
    for (const ask of this.#asks.expire())
      this.#o.counters.count('punch-unanswered', { id: ask.id, from: ask.client.remote.host, via: ask.client.kind });
    this.#o.peers.evict();
  }

  /** One datagram at port P. Everything that is not listed is dropped without a word (rendezvous §1). */
  onDatagram(bytes: Uint8Array, from: HostPort, path: UdpPath): void {
    const message = this.#decode(bytes);
    if (!message) return;
    switch (message.union) {
      case 'registerPeer':
        return this.#onRegisterPeer(message.registerPeer, from, path);
      case 'registerPk':
        this.#register(message.registerPk, from, path, null, (result) =>
          path.send(encodeRendezvous({ registerPkResponse: { result } }), from),
        );
        return;
      case 'testNatRequest':
        // Of the copies that a stock controller sends at once, one is answered: it takes a second answer for its peer's
        // first datagram (rendezvous §9.1).
        if (this.#natTests.isNew(from)) path.send(encodeRendezvous({ testNatResponse: { port: from.port } }), from);
        else this.#o.counters.count('nat-test-repeated');
        return;
      case 'punchHoleSent':
        return this.#onPunchHoleSentByUdp(message.punchHoleSent, from);
      default:
        this.#o.counters.count('udp-not-handled', { from: from.host, via: 'udp' });
    }
  }

  /** One message on a connection to P or P+2. */
  onMessage(client: Client, bytes: Uint8Array): void {
    const presence = this.#presences.has(client);
    // On a registration a zero-length frame is the answer to our heartbeat (rendezvous §5.6); elsewhere it ends it.
    if (bytes.length === 0 && presence) return;
    const message = this.#decode(bytes);
    switch (message?.union) {
      case 'punchHoleRequest':
        return this.#onPunchHoleRequest(client, message.punchHoleRequest);
      case 'requestRelay':
        return this.#onRequestRelay(client, message.requestRelay, bytes);
      case 'registerPk':
        return this.#onRegisterPkByClient(client, message.registerPk);
      case 'punchHoleSent':
        this.#onPunchHoleSent(client, message.punchHoleSent);
        break;
      case 'localAddr':
        this.#onLocalAddr(client, message.localAddr);
        break;
      case 'relayResponse':
        this.#onRelayResponse(client, message.relayResponse);
        break;
      case 'testNatRequest':
        client.send(encodeRendezvous({ testNatResponse: this.#natResponse(client, message.testNatRequest) }));
        break;
      default:
        this.#o.counters.count('tcp-not-handled', { from: client.remote.host, via: client.kind });
        client.close();
        return;
    }
    // One message and the connection ends (rendezvous §1.2), unless it still serves for something else.
    if (!presence && !this.#asks.waits(client)) client.close();
  }

  /** The one message of a connection to P-1. */
  onNatTestMessage(client: Client, bytes: Uint8Array): void {
    const message = this.#decode(bytes);
    if (message?.union === 'testNatRequest')
      client.send(encodeRendezvous({ testNatResponse: { port: client.remote.port } }));
    else if (message?.union === 'onlineRequest' && (message.onlineRequest?.peers?.length ?? 0) <= this.#o.limits.maxOnlineIds)
      client.send(encodeRendezvous({ onlineResponse: { states: this.#onlineStates(message.onlineRequest?.peers ?? []) } }));
    else this.#o.counters.count('nat-port-not-handled', { from: client.remote.host, via: client.kind });
    client.close();
  }

  /** Whether an answer to this client may still come. */
  waits(client: Client): boolean {
    return this.#asks.waits(client);
  }

  onClosed(client: Client): void {
    this.#asks.removeClient(client);
    const id = this.#presences.get(client);
    if (id === undefined) return;
    this.#presences.delete(client);
    this.#o.counters.count('presence-lost', { id, from: client.remote.host, via: client.kind });
    this.#o.peers.lostClient(id, client);
  }

  #decode(bytes: Uint8Array): hbb.RendezvousMessage | null {
    try {
      return decodeRendezvous(bytes);
    } catch {
      this.#o.counters.count('not-a-message');
      return null;
    }
  }

  // Registration

  #onRegisterPeer(message: hbb.IRegisterPeer | null | undefined, from: HostPort, path: UdpPath): void {
    const id = message?.id ?? '';
    if (id === '') return;
    path.send(this.#o.peers.heartbeat(id, from, path) ? HEARTBEAT_SEND_PK : HEARTBEAT_OK, from);
    const { serial, rendezvousServers } = this.#o;
    if (serial > (message?.serial ?? 0))
      path.send(encodeRendezvous({ configureUpdate: { serial, rendezvousServers: [...rendezvousServers] } }), from);
  }

  #register(
    message: hbb.IRegisterPk | null | undefined,
    from: HostPort,
    path: UdpPath | null,
    client: Client | null,
    reply: (result: hbb.RegisterPkResponse.Result) => void,
  ): boolean {
    const { id = '', uuid = NO_BYTES, pk = NO_BYTES } = message ?? {};
    if (!uuid?.length || !pk?.length) return false;
    this.#o.peers.register({ id: id ?? '', uuid, pk, from, path, client }, (result) => {
      this.#o.counters.count(registerReason(result), { id: id ?? '', from: from.host, via: client?.kind ?? 'udp' });
      reply(result);
    });
    return true;
  }

  /** Registration over TCP or WebSocket: the connection stays and is the presence (rendezvous §5.6). */
  #onRegisterPkByClient(client: Client, message: hbb.IRegisterPk | null | undefined): void {
    // A change of id, told apart by its missing key (rendezvous §5.5).
    if (message?.oldId && !message.pk?.length) {
      client.send(encodeRendezvous({ registerPkResponse: { result: Result.NOT_SUPPORT } }));
      return client.close();
    }
    const accepted = this.#register(message, client.remote, null, client, (result) => {
      const keepAlive = result === Result.OK ? this.#o.limits.keepAliveSeconds : 0;
      client.send(encodeRendezvous({ registerPkResponse: { result, keepAlive } }));
      if (result !== Result.OK) return;
      // It went while the disk wrote: its end has been told already.
      if (client.closed) return this.#o.peers.lostClient(message?.id ?? '', client);
      const before = this.#presences.get(client);
      const id = message?.id ?? '';
      // One connection, one id: the earlier one would else stay online through it.
      if (before !== undefined && before !== id) this.#o.peers.lostClient(before, client);
      this.#presences.set(client, id);
      client.keepAsPresence();
    });
    if (!accepted) client.close();
  }

  // Controller's side

  #onPunchHoleRequest(client: Client, message: hbb.IPunchHoleRequest | null | undefined): void {
    const { counters, licenceKey, peers, isLan } = this.#o;
    const id = message?.id ?? '';
    const refuse = (failure: hbb.PunchHoleResponse.Failure): void => {
      counters.count(failureReason(failure), { id, from: client.remote.host, via: client.kind });
      client.send(encodeRendezvous({ punchHoleResponse: { failure } }));
    };
    if (licenceKey !== '' && message?.licenceKey !== licenceKey) return refuse(Failure.LICENSE_MISMATCH);
    const peer = peers.find(id);
    if (!peer) return refuse(Failure.ID_NOT_EXIST);
    if (!peers.isOnline(peer)) return refuse(Failure.OFFLINE);
    const udpPort = validPort(message?.udpPort);
    const ask = this.#asks.add(client, id, 'punch', udpPort > 0);
    if (!ask) {
      counters.count('punch-too-many', { id, from: client.remote.host, via: client.kind });
      return client.close();
    }
    const lanA = isLan(client.remote.host);
    const lanB = isLan(peer.host);
    let natType = message?.natType ?? hbb.NatType.UNKNOWN_NAT;
    let relayServer = this.#relayFor(peer, client);
    const relayOnly = this.#o.alwaysRelay || lanA !== lanB;
    ask.why = this.#o.alwaysRelay ? 'always-relay' : relayOnly ? 'lan-mask' : message?.forceRelay ? 'forced-by-controller' : undefined;
    if (relayOnly) {
      if (lanB && !lanA && this.#o.localIp !== '') relayServer = this.#o.localIp;
      natType = hbb.NatType.SYMMETRIC;
    }
    const socketAddrV6 = relayOnly ? NO_BYTES : (message?.socketAddrV6 ?? NO_BYTES);
    // Behind one address: the same router, as far as anyone can tell. A WebSocket peer is behind a proxy, or could not listen.
    const same = client.kind !== 'ws' && peer.client?.kind !== 'ws' && ((lanA && lanB) || client.remote.host === peer.host);
    if (same) {
      this.#push(peer, {
        fetchLocalAddr: { socketAddr: ask.socketAddr, relayServer, ...given('socketAddrV6', socketAddrV6) },
      });
      return;
    }
    this.#push(peer, {
      punchHole: {
        socketAddr: ask.socketAddr,
        relayServer,
        natType,
        ...(relayOnly
          ? {}
          : {
              ...given('udpPort', udpPort),
              ...given('upnpPort', validPort(message?.upnpPort)),
              ...given('socketAddrV6', socketAddrV6),
            }),
        ...given('forceRelay', message?.forceRelay === true),
      },
    });
  }

  #onRequestRelay(client: Client, message: hbb.IRequestRelay | null | undefined, bytes: Uint8Array): void {
    const peer = this.#o.peers.inMemory(message?.id ?? '');
    if (!peer || (peer.port === 0 && !peer.client)) {
      this.#o.counters.count('relay-unknown-id', { id: message?.id ?? '', from: client.remote.host, via: client.kind });
      return;
    }
    const ask = this.#asks.add(client, peer.id, 'relay', false);
    if (!ask) {
      this.#o.counters.count('relay-too-many', { id: peer.id, from: client.remote.host, via: client.kind });
      return client.close();
    }
    try {
      this.#pushBytes(peer, rewriteRequestRelay(bytes, { socketAddr: ask.socketAddr }));
    } catch {
      // It was decoded, but is too odd to be forwarded.
      client.close();
    }
  }

  // Controlled side's answers

  #onPunchHoleSent(client: Client, message: hbb.IPunchHoleSent | null | undefined): void {
    const ask = this.#answered(message, client.remote, (a) => a.kind === 'punch' && a.id === message?.id);
    if (ask) this.#answer(ask, this.#punchResponse(ask, message, client.remote, false));
  }

  /** Stock peers send three copies; the first takes the ask away and the others find none (rendezvous §9.5). */
  #onPunchHoleSentByUdp(message: hbb.IPunchHoleSent | null | undefined, from: HostPort): void {
    // An answer over UDP to somebody who offered no UDP port would lead nowhere.
    const ask = this.#answered(message, from, (a) => a.kind === 'punch' && a.id === message?.id && a.udp);
    if (!ask) return;
    this.#answer(ask, this.#punchResponse(ask, message, from, true));
  }

  #punchResponse(
    ask: Ask,
    message: hbb.IPunchHoleSent | null | undefined,
    from: HostPort,
    isUdp: boolean,
  ): hbb.IRendezvousMessage {
    return {
      punchHoleResponse: {
        socketAddr: mangleAddress(from, Date.now() * 1000),
        pk: this.#signedPk(message?.version, ask.id),
        relayServer: message?.relayServer ?? '',
        natType: message?.natType ?? hbb.NatType.UNKNOWN_NAT,
        ...given('isUdp', isUdp),
        ...given('upnpPort', validPort(message?.upnpPort)),
        ...given('socketAddrV6', message?.socketAddrV6 ?? NO_BYTES),
      },
    };
  }

  #onLocalAddr(client: Client, message: hbb.ILocalAddr | null | undefined): void {
    const ask = this.#answered(message, client.remote, (a) => a.kind === 'punch' && a.id === message?.id);
    if (!ask) return;
    this.#answer(ask, {
      punchHoleResponse: {
        socketAddr: message?.localAddr ?? NO_BYTES,
        pk: this.#signedPk(message?.version, ask.id),
        relayServer: message?.relayServer ?? '',
        isLocal: true,
        ...given('socketAddrV6', message?.socketAddrV6 ?? NO_BYTES),
      },
    });
  }

  #onRelayResponse(client: Client, message: hbb.IRelayResponse | null | undefined): void {
    if (!message) return;
    // Only a relay that the controller asked for is answered without an id (rendezvous §9.4).
    const ask = this.#answered(message, client.remote, (a) => (message.id ? a.id === message.id : a.kind === 'relay'));
    if (!ask) return;
    const { id, socketAddr: _named, pk: _pk, relayServer: proposed, ...rest } = message;
    const { isLan, localIp } = this.#o;
    let relayServer = proposed ?? '';
    if (relayServer !== '' && localIp !== '') {
      if (isLan(ask.client.remote.host)) relayServer = localIp;
      else if (relayServer === localIp) relayServer = this.#o.pickRelay();
    }
    this.#answer(ask, {
      relayResponse: { ...rest, ...given('relayServer', relayServer), ...(id ? { pk: this.#signedPk(message.version, ask.id) } : {}) },
    });
  }

  /** The ask that this answer belongs to, or null when nobody asked its sender (see asks.ts). */
  #answered(
    message: { socketAddr?: Uint8Array | null } | null | undefined,
    from: HostPort,
    fits: (ask: Ask) => boolean,
  ): Ask | null {
    const ask = this.#asks.match(
      message?.socketAddr ?? NO_BYTES,
      fits,
      (id) => this.#o.peers.inMemory(id)?.host === from.host,
    );
    if (!ask) this.#o.counters.count('answer-unasked', { from: from.host });
    return ask;
  }

  #answer(ask: Ask, message: hbb.IRendezvousMessage): void {
    this.#asks.remove(ask);
    this.#o.counters.count(introducedReason(message), {
      id: ask.id,
      from: ask.client.remote.host,
      via: ask.client.kind,
      why: ask.kind === 'relay' ? 'asked' : ask.why,
      ms: this.#o.clock.now() - ask.askedAt,
    });
    ask.client.send(encodeRendezvous(message));
  }

  // Odds and ends

  #push(peer: Peer, message: hbb.IRendezvousMessage): void {
    this.#pushBytes(peer, encodeRendezvous(message));
  }

  #pushBytes(peer: Peer, bytes: Uint8Array): void {
    if (peer.client) peer.client.send(bytes);
    else if (peer.path) peer.path.send(bytes, { host: peer.host, port: peer.port });
  }

  /** The relay that both are told (rendezvous §6.11). '' lets each take the port behind ours at the host it knows us by. */
  #relayFor(peer: Peer, client: Client): string {
    const configured = this.#o.pickRelay();
    const { relayPort, port } = this.#o;
    if (configured !== '' || relayPort === 0 || relayPort === port + 1) return configured;
    const host = peer.client?.localHost || peer.path?.localHost || client.localHost;
    return host.includes(':') ? `[${host}]:${relayPort}` : `${host}:${relayPort}`;
  }

  #natResponse(client: Client, message: hbb.ITestNatRequest | null | undefined): hbb.ITestNatResponse {
    const { serial, rendezvousServers } = this.#o;
    return {
      port: client.remote.port,
      ...(serial > (message?.serial ?? 0) ? { cu: { serial, rendezvousServers: [...rendezvousServers] } } : {}),
    };
  }

  /** One bit an id, the first in the highest bit (rendezvous §6.8). */
  #onlineStates(ids: readonly string[]): Uint8Array {
    const states = new Uint8Array(Math.ceil(ids.length / 8));
    ids.forEach((id, i) => {
      const peer = this.#o.peers.inMemory(id);
      if (peer && this.#o.peers.isOnline(peer)) states[i >> 3] = (states[i >> 3] ?? 0) | (0x80 >> (i & 7));
    });
    return states;
  }

  /** The signed key of the controlled side (rendezvous §6.7); empty when it is too old to say its version. */
  #signedPk(version: string | null | undefined, id: string): Uint8Array {
    const peer = this.#o.peers.inMemory(id);
    if (!version || !peer) return NO_BYTES;
    peer.signed ??= signIdPk(id, peer.pk, this.#o.secretKey);
    return peer.signed;
  }
}

/** A port from the wire, or 0 when it is none. */
function validPort(port: number | null | undefined): number {
  return port && port > 0 && port <= 0xffff ? port : 0;
}

/** `{[name]: value}`, or nothing for a default: what is unset on the wire must stay unset. */
function given<K extends string, V>(name: K, value: V): { [P in K]?: V } {
  const empty = value === 0 || value === false || value === '' || (value instanceof Uint8Array && value.length === 0);
  return empty ? {} : ({ [name]: value } as { [P in K]?: V });
}

