/** What a controller asks for: to be introduced to an id, or to meet it at a relay (rendezvous §6.2, §6.5). */
import { encodeRendezvous, hbb, rewriteRequestRelay } from '../../core/wire/index.ts';
import type { Asks } from '../asks.ts';
import type { Client } from '../client.ts';
import { failureReason } from '../observe/wire-reasons.ts';
import type { Peer } from '../peer-table.ts';
import { given, NO_BYTES, validPort } from './fields.ts';
import type { RendezvousOptions } from './options.ts';
import type { Outbox } from './outbox.ts';

const Failure = hbb.PunchHoleResponse.Failure;

export class Requests {
  readonly #o: RendezvousOptions;
  readonly #asks: Asks;
  readonly #outbox: Outbox;

  constructor(options: RendezvousOptions, asks: Asks, outbox: Outbox) {
    this.#o = options;
    this.#asks = asks;
    this.#outbox = outbox;
  }

  onPunchHoleRequest(client: Client, message: hbb.IPunchHoleRequest | null | undefined): void {
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
      this.#outbox.push(peer, {
        fetchLocalAddr: { socketAddr: ask.socketAddr, relayServer, ...given('socketAddrV6', socketAddrV6) },
      });
      return;
    }
    this.#outbox.push(peer, {
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

  onRequestRelay(client: Client, message: hbb.IRequestRelay | null | undefined, bytes: Uint8Array): void {
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
      const push = rewriteRequestRelay(bytes, { socketAddr: ask.socketAddr });
      // Before the push: the controlled side may be at the relay sooner than we are back from it.
      this.#o.introductions.note(message?.uuid ?? '', [client.remote.host, peer.host]);
      this.#outbox.pushBytes(peer, push);
    } catch {
      // It was decoded, but is too odd to be forwarded.
      client.close();
    }
  }

  /** The relay that both are told (rendezvous §6.11). '' lets each take the port behind ours at the host it knows us by. */
  #relayFor(peer: Peer, client: Client): string {
    const configured = this.#o.pickRelay();
    const { relayPort, port } = this.#o;
    if (configured !== '' || relayPort === 0 || relayPort === port + 1) return configured;
    const host = peer.client?.localHost || peer.path?.localHost || client.localHost;
    return host.includes(':') ? `[${host}]:${relayPort}` : `${host}:${relayPort}`;
  }
}
