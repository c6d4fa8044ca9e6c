/**
 * The rendezvous server as rules over messages (rendezvous §5 to §6): what may come over what, and whose business it is.
 * Sockets are in udp-port.ts, tcp-client.ts and ws-client.ts; nothing here waits, except for the store's commit.
 */
import { decodeRendezvous, encodeRendezvous, type HostPort, hbb } from '../core/wire/index.ts';
import { Asks } from './asks.ts';
import type { Client, UdpPath } from './client.ts';
import { readHeartbeat } from './heartbeat.ts';
import { Answers } from './rendezvous/answers.ts';
import type { Reason } from './observe/reasons.ts';
import type { RendezvousOptions } from './rendezvous/options.ts';
import { Outbox } from './rendezvous/outbox.ts';
import { Queries } from './rendezvous/queries.ts';
import { Registrations } from './rendezvous/registrations.ts';
import { Requests } from './rendezvous/requests.ts';
import { ServerList } from './rendezvous/server-list.ts';
import { SignedKeys } from './signed-keys.ts';

export type { RendezvousOptions } from './rendezvous/options.ts';

export class Rendezvous {
  readonly #o: RendezvousOptions;
  readonly #asks: Asks;
  readonly #outbox: Outbox;
  readonly #registrations: Registrations;
  readonly #requests: Requests;
  readonly #answers: Answers;
  readonly #queries: Queries;
  /** Connections that asked for somebody. */
  readonly #askers = new WeakSet<Client>();

  constructor(options: RendezvousOptions) {
    this.#o = options;
    this.#asks = new Asks(options.limits, options.clock);
    this.#outbox = new Outbox(options);
    const list = new ServerList(options.serial, options.rendezvousServers);
    this.#registrations = new Registrations(options, this.#outbox, list);
    const signed = new SignedKeys(options.limits.maxSignedKeys);
    this.#requests = new Requests(options, this.#asks, this.#outbox, signed);
    this.#answers = new Answers(options, this.#asks, this.#outbox, signed);
    this.#queries = new Queries(options, this.#outbox, list);
  }

  /** Requests that wait for an answer; for tests and metrics. */
  get pendingAsks(): number {
    return this.#asks.size;
  }

  /** Regular upkeep; call every few seconds. */
  sweep(): void {
    for (const ask of this.#asks.expire())
      this.#o.counters.count('punch-unanswered', { id: ask.id, from: ask.client.remote.host, via: ask.client.kind });
    this.#o.cluster?.sweep();
    this.#o.peers.evict();
    this.#requests.sweep();
    this.#outbox.sweep();
  }

  /** One datagram at port P. Everything that is not listed is dropped without a word (rendezvous §1). */
  onDatagram(bytes: Uint8Array, from: HostPort, path: UdpPath): void {
    this.#outbox.received(from, bytes.length);
    const heartbeat = readHeartbeat(bytes);
    if (heartbeat) return this.#registrations.onRegisterPeer(heartbeat, from, path);
    const message = this.#decode(bytes);
    if (!message) return;
    switch (message.union) {
      case 'registerPeer':
        return this.#registrations.onRegisterPeer(message.registerPeer, from, path);
      case 'registerPk':
        return this.#registrations.onRegisterPk(message.registerPk, from, path);
      case 'testNatRequest':
        if (message.testNatRequest?.wantAddress)
          return this.#queries.onUdpAddressTest(message.testNatRequest, bytes.length, from, path);
        return this.#queries.onUdpNatTest(from, path);
      case 'punchHoleSent':
        if (!this.#answers.onPunchHoleSentByUdp(message.punchHoleSent, from))
          this.#notForUs('udp', from, message.punchHoleSent?.id, bytes);
        return;
      case 'softwareUpdate':
        return this.#queries.onSoftwareUpdate(message.softwareUpdate, from, path);
      case 'configureUpdate':
        return this.#queries.onConfigUpdate(message.configureUpdate, from);
      default:
        this.#o.counters.count('udp-not-handled', { from: from.host, via: 'udp' });
    }
  }

  /** One datagram at port P-1: only the NAT test that wants to see another port. */
  onNatTestDatagram(bytes: Uint8Array, from: HostPort, path: UdpPath): void {
    this.#outbox.received(from, bytes.length);
    const message = this.#decode(bytes);
    if (message?.testNatRequest?.wantAddress)
      this.#queries.onUdpAddressTest(message.testNatRequest, bytes.length, from, path);
    else this.#o.counters.count('nat-port-not-handled', { from: from.host, via: 'udp' });
  }

  /** A connection was made: whoever holds its address gets what is sent there. */
  onOpen(client: Client): void {
    this.#outbox.prove(client.remote.host);
    this.#queries.onProven(client.remote.host);
  }

  /** One message on a connection to P or P+2. */
  onMessage(client: Client, bytes: Uint8Array): void {
    const presence = this.#registrations.isPresence(client);
    // On a registration a zero-length frame is the answer to our heartbeat (rendezvous §5.6); elsewhere it ends it.
    if (bytes.length === 0 && presence) return;
    const message = this.#decode(bytes);
    const asks = message?.union === 'punchHoleRequest' || message?.union === 'requestRelay';
    // A connection that asks for somebody is good for nothing else (rendezvous §1.3).
    if (!asks && !presence && this.#askers.has(client)) return client.close();
    if (asks) this.#askers.add(client);
    switch (message?.union) {
      case 'punchHoleRequest':
        return this.#atHolder(client, message.punchHoleRequest?.id, bytes, () =>
          this.#requests.onPunchHoleRequest(client, message.punchHoleRequest, bytes.length),
        );
      case 'requestRelay':
        return this.#atHolder(client, message.requestRelay?.id, bytes, () =>
          this.#requests.onRequestRelay(client, message.requestRelay, bytes),
        );
      case 'registerPk':
        return this.#registrations.onRegisterPkByClient(client, message.registerPk);
      case 'punchHoleSent':
        if (!this.#answers.onPunchHoleSent(client, message.punchHoleSent)) this.#unasked(client, message.punchHoleSent?.id, bytes);
        break;
      case 'localAddr':
        if (!this.#answers.onLocalAddr(client, message.localAddr)) this.#unasked(client, message.localAddr?.id, bytes);
        break;
      case 'relayResponse':
        if (!this.#answers.onRelayResponse(client, message.relayResponse)) this.#unasked(client, message.relayResponse?.id, bytes);
        break;
      case 'serverKeyRequest':
        this.#queries.onServerKeyRequest(client, message.serverKeyRequest);
        break;
      case 'testNatRequest':
        return this.#queries.onNatTest(client, message.testNatRequest, () => void (presence || client.close()));
      case 'publishHello':
        if (this.#o.onPublishHello && !presence && !this.#askers.has(client)) return this.#o.onPublishHello(client, message.publishHello);
        client.send(encodeRendezvous({ publishReply: { result: hbb.PublishReply.Result.OFF } }));
        break;
      default:
        this.#o.counters.count('tcp-not-handled', { from: client.remote.host, via: client.kind });
        client.close();
        return;
    }
    // One message and the connection ends (rendezvous §1.2), unless it still serves for something else.
    if (!presence) client.close();
  }

  /** The one message of a connection to P-1. */
  onNatTestMessage(client: Client, bytes: Uint8Array): void {
    const close = (): void => client.close();
    if (this.#queries.onOnlineRequest(client, bytes, close)) return;
    const message = this.#decode(bytes);
    if (message?.union === 'testNatRequest') this.#queries.onSecondNatTest(client, message.testNatRequest);
    else this.#o.counters.count('nat-port-not-handled', { from: client.remote.host, via: client.kind });
    close();
  }

  /** Whether an answer to this client may still come. */
  waits(client: Client): boolean {
    return this.#asks.waits(client) || this.#queries.waits(client) || this.#o.cluster?.waits(client) === true;
  }

  onCut(client: Client, reason: Reason): void {
    this.#o.counters.count(reason, { from: client.remote.host, via: client.kind });
  }

  onClosed(client: Client): void {
    this.#asks.removeClient(client);
    this.#o.cluster?.onClosed(client);
    this.#registrations.onClosed(client);
  }

  /** What the controlled side sent by UDP to another node, and is waited for here. */
  onRoutedDatagram(bytes: Uint8Array, from: HostPort): void {
    const message = this.#decode(bytes);
    if (message?.union !== 'punchHoleSent' || !this.#answers.onPunchHoleSentByUdp(message.punchHoleSent, from))
      this.#countUnasked(from, 'udp');
  }

  /** Decides a request where the peer is registered: `decide` runs here unless another node holds the peer. */
  #atHolder(client: Client, id: string | null | undefined, bytes: Uint8Array, decide: () => void): void {
    const { cluster, peers, counters } = this.#o;
    const known = peers.inMemory(id ?? '');
    if (!cluster || !id || client.forwarded || (known && peers.isOnline(known))) return decide();
    cluster.forward(client, id, bytes).then(
      (forwarded) => {
        if (!forwarded && !client.closed) decide();
      },
      () => {
        counters.count('cluster-away', { id, from: client.remote.host, via: client.kind });
        // Nobody can say that it does not exist.
        if (peers.inMemory(id)) decide();
        else client.send(encodeRendezvous({ punchHoleResponse: { failure: hbb.PunchHoleResponse.Failure.OFFLINE } }));
      },
    );
  }

  #unasked(client: Client, id: string | null | undefined, bytes: Uint8Array): void {
    if (client.forwarded) this.#countUnasked(client.remote, client.kind);
    else this.#notForUs(client.kind, client.remote, id, bytes);
  }

  /** An answer that nobody here waits for: another node may. A peer that is registered here was asked here or nowhere. */
  #notForUs(kind: 'tcp' | 'ws' | 'udp', from: HostPort, id: string | null | undefined, bytes: Uint8Array): void {
    const { cluster, peers } = this.#o;
    const known = id ? peers.inMemory(id) : undefined;
    if (cluster && !(known && peers.isOnline(known))) cluster.routeAnswer(kind, from, id ?? '', bytes);
    else this.#countUnasked(from, kind);
  }

  #countUnasked(from: HostPort, via: 'tcp' | 'ws' | 'udp'): void {
    this.#asks.countWrong(from.host);
    this.#o.counters.count('answer-unasked', { from: from.host, via });
  }

  #decode(bytes: Uint8Array): hbb.RendezvousMessage | null {
    try {
      return decodeRendezvous(bytes);
    } catch {
      this.#o.counters.count('not-a-message');
      return null;
    }
  }
}
