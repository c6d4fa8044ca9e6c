/** What a controller asks for: to be introduced to an id, or to meet it at a relay (rendezvous §6.2, §6.5). */
import { encodeRendezvous, hbb, rewriteRequestRelay } from '../../core/wire/index.ts';
import type { Ask, Asks } from '../asks.ts';
import type { Client } from '../client.ts';
import { failureReason } from '../observe/wire-reasons.ts';
import type { Peer } from '../peer-table.ts';
import type { SignedKeys } from '../signed-keys.ts';
import { CONTROLLED, sealTicket } from '../tickets.ts';
import { given, NO_BYTES, validPort } from './fields.ts';
import { explainKey } from './key-hints.ts';
import { LocalTries } from './local-tries.ts';
import type { RendezvousOptions } from './options.ts';
import type { Outbox } from './outbox.ts';
import { builtInRelay } from './relay-name.ts';

const Failure = hbb.PunchHoleResponse.Failure;

/** Relays of which a controller may say how far they are, and how far one may be, ms. */
const MAX_MEASURED = 16;
const MAX_LATENCY_MS = 5_000;

/** The relay that both are told, and whether nothing else is left to them. */
interface Route {
  readonly relayServer: string;
  /** It is our own, not one that was configured. */
  readonly ownRelay: boolean;
  readonly relayOnly: boolean;
  readonly why: string | undefined;
}

export class Requests {
  readonly #o: RendezvousOptions;
  readonly #asks: Asks;
  readonly #outbox: Outbox;
  readonly #signed: SignedKeys;
  readonly #localTries: LocalTries;

  constructor(options: RendezvousOptions, asks: Asks, outbox: Outbox, signed: SignedKeys) {
    this.#o = options;
    this.#signed = signed;
    this.#asks = asks;
    this.#outbox = outbox;
    this.#localTries = new LocalTries(options.limits, options.clock);
  }

  /** Regular upkeep. */
  sweep(): void {
    this.#localTries.expire();
  }

  /** `bytes`: size of the request, which pays for the push (address-credit.ts). */
  onPunchHoleRequest(client: Client, message: hbb.IPunchHoleRequest | null | undefined, bytes: number): void {
    const { counters, keys, peers } = this.#o;
    const id = message?.id ?? '';
    const refuse = (failure: hbb.PunchHoleResponse.Failure, more: hbb.IPunchHoleResponse = {}): void => {
      counters.count(failureReason(failure), { id, from: client.remote.host, via: client.kind });
      client.send(encodeRendezvous({ punchHoleResponse: { failure, ...more } }));
    };
    const licenceKey = message?.licenceKey ?? '';
    if (!keys.accepts(licenceKey)) return refuse(Failure.LICENSE_MISMATCH, explainKey(licenceKey, keys));
    const peer = peers.find(id);
    if (!peer) return refuse(Failure.ID_NOT_EXIST);
    if (!peers.isOnline(peer)) return refuse(Failure.OFFLINE);
    const udpPort = validPort(message?.udpPort);
    const ask = this.#asks.add(client, id, this.#way(client, peer, message), udpPort > 0);
    if (!ask) {
      counters.count('punch-too-many', { id, from: client.remote.host, via: client.kind });
      return client.close();
    }
    const signer = keys.signerFor(licenceKey);
    ask.wantsTicket = message?.wantTicket === true;
    ask.signer = signer === keys.current ? undefined : signer;
    const route = this.#route(client, peer, message);
    ask.why = route.why;
    const socketAddrV6 = route.relayOnly ? NO_BYTES : (message?.socketAddrV6 ?? NO_BYTES);
    const common = { socketAddr: ask.socketAddr, relayServer: route.relayServer, ...given('socketAddrV6', socketAddrV6) };
    if (ask.kind === 'local') return this.#outbox.push(peer, { fetchLocalAddr: common }, bytes);
    const punchHole = {
      ...common,
      natType: route.relayOnly ? hbb.NatType.SYMMETRIC : (message?.natType ?? hbb.NatType.UNKNOWN_NAT),
      ...(route.relayOnly ? {} : { ...given('udpPort', udpPort), ...given('upnpPort', validPort(message?.upnpPort)) }),
      ...given('forceRelay', message?.forceRelay === true),
    };
    const meeting = this.#relayMeeting(ask, peer, message?.relayUuid ?? '', route);
    this.#outbox.pushFull(peer, { punchHole: { ...punchHole, ...meeting } }, { punchHole }, bytes);
    if (meeting.relayUuid) this.#tellMeeting(ask, peer, meeting.relayUuid, route.relayServer);
  }

  /** The controlled side may be at the relay before its answer is here: the controller knows by then whom to expect. */
  #tellMeeting(ask: Ask, peer: Peer, uuid: string, relayServer: string): void {
    const pk = this.#signed.of(peer, ask.signer ?? this.#o.keys.current);
    ask.client.send(encodeRendezvous({ relayMeeting: { uuid, pk, relayServer } }));
  }

  /** What the controlled side needs to meet a controller at the relay that waits there already; nothing, if none does. */
  #relayMeeting(ask: Ask, peer: Peer, uuid: string, route: Route): hbb.IPunchHole {
    if (uuid === '' || uuid.length > this.#o.limits.maxRelayUuidLength) return {};
    const udp = given('relayUdp', route.ownRelay && this.#o.relayUdp);
    ask.relayUuid = uuid;
    const hosts = [ask.client.remote.host, peer.host];
    // Before the push: both may be at the relay sooner than we are back from it.
    this.#o.introductions.note(uuid, hosts, { agreed: false });
    if (!ask.wantsTicket) return { relayUuid: uuid, ...udp };
    const relayTicket = sealTicket({ uuid, side: CONTROLLED, hosts }, this.#o.keys.current.secretKey, Date.now());
    return { relayUuid: uuid, relayTicket, ...udp };
  }

  /** Whether the controlled side is asked for its local address or for a hole. */
  #way(client: Client, peer: Peer, message: hbb.IPunchHoleRequest | null | undefined): 'local' | 'punch' {
    // A WebSocket peer is behind a proxy, or could not listen.
    if (client.kind === 'ws' || peer.client?.kind === 'ws') return 'punch';
    if (this.#o.isLan(client.remote.host) && this.#o.isLan(peer.host)) return 'local';
    if (client.remote.host !== peer.host) return 'punch';
    // Who wants the relay anyway will ask for it, whether or not the direct way worked.
    if (this.#o.alwaysRelay || message?.forceRelay) return 'local';
    return this.#localTries.offer(client, peer.id, validPort(message?.udpPort) > 0);
  }

  /** The relay that both are told, and whether nothing else is left to them (rendezvous §6.2). */
  #route(
    client: Client,
    peer: Peer,
    message: hbb.IPunchHoleRequest | null | undefined,
  ): Route {
    const { isLan, alwaysRelay, localIp } = this.#o;
    const lanB = isLan(peer.host);
    const acrossMask = isLan(client.remote.host) !== lanB;
    const relayOnly = alwaysRelay || acrossMask;
    const own = relayOnly && acrossMask && lanB ? localIp : '';
    const picked = own || this.#pickRelay(message);
    return {
      relayServer: picked || builtInRelay(this.#o, peer, client),
      ownRelay: own !== '' || picked === '',
      relayOnly,
      why: alwaysRelay ? 'always-relay' : relayOnly ? 'lan-mask' : message?.forceRelay ? 'forced-by-controller' : undefined,
    };
  }

  onRequestRelay(client: Client, message: hbb.IRequestRelay | null | undefined, bytes: Uint8Array): void {
    const peer = this.#o.peers.inMemory(message?.id ?? '');
    if (!peer || (peer.port === 0 && !peer.client)) {
      this.#o.counters.count('relay-unknown-id', { id: message?.id ?? '', from: client.remote.host, via: client.kind });
      return;
    }
    if (!message?.byChoice) this.#localTries.failed(client, peer.id);
    const ask = this.#asks.add(client, peer.id, 'relay', false);
    if (!ask) {
      this.#o.counters.count('relay-too-many', { id: peer.id, from: client.remote.host, via: client.kind });
      return client.close();
    }
    try {
      ask.uuid = message?.uuid ?? '';
      ask.wantsTicket = message?.wantTicket === true;
      const push = rewriteRequestRelay(bytes, { socketAddr: ask.socketAddr });
      // Before the push: the controlled side may be at the relay sooner than we are back from it.
      this.#o.introductions.note(message?.uuid ?? '', [client.remote.host, peer.host], { agreed: false });
      this.#outbox.pushBytes(peer, push, bytes.length);
    } catch {
      // It was decoded, but is too odd to be forwarded.
      client.close();
    }
  }

  #pickRelay(message: hbb.IPunchHoleRequest | null | undefined): string {
    const measured = new Map<string, number>();
    for (const { address, ms } of message?.relayLatency?.slice(0, MAX_MEASURED) ?? [])
      if (address && ms && ms <= MAX_LATENCY_MS) measured.set(address, ms);
    return this.#o.pickRelay((address) => measured.get(address) ?? null);
  }
}
