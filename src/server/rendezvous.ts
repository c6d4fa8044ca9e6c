/**
 * The rendezvous server as rules over messages (rendezvous §5 to §6): what may come over what, and whose business it is.
 * Sockets are in udp-port.ts, tcp-client.ts and ws-client.ts; nothing here waits, except for the store's commit.
 */
import { decodeRendezvous, type HostPort, type hbb } from '../core/wire/index.ts';
import { Asks } from './asks.ts';
import type { Client, UdpPath } from './client.ts';
import { Answers } from './rendezvous/answers.ts';
import type { RendezvousOptions } from './rendezvous/options.ts';
import { Outbox } from './rendezvous/outbox.ts';
import { Queries } from './rendezvous/queries.ts';
import { Registrations } from './rendezvous/registrations.ts';
import { Requests } from './rendezvous/requests.ts';

export type { RendezvousOptions } from './rendezvous/options.ts';

export class Rendezvous {
  readonly #o: RendezvousOptions;
  readonly #asks: Asks;
  readonly #registrations: Registrations;
  readonly #requests: Requests;
  readonly #answers: Answers;
  readonly #queries: Queries;

  constructor(options: RendezvousOptions) {
    this.#o = options;
    this.#asks = new Asks(options.limits, options.clock);
    this.#registrations = new Registrations(options);
    this.#requests = new Requests(options, this.#asks, new Outbox());
    this.#answers = new Answers(options, this.#asks);
    this.#queries = new Queries(options);
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
        return this.#registrations.onRegisterPeer(message.registerPeer, from, path);
      case 'registerPk':
        return this.#registrations.onRegisterPk(message.registerPk, from, path);
      case 'testNatRequest':
        return this.#queries.onUdpNatTest(from, path);
      case 'punchHoleSent':
        return this.#answers.onPunchHoleSentByUdp(message.punchHoleSent, from);
      default:
        this.#o.counters.count('udp-not-handled', { from: from.host, via: 'udp' });
    }
  }

  /** One message on a connection to P or P+2. */
  onMessage(client: Client, bytes: Uint8Array): void {
    const presence = this.#registrations.isPresence(client);
    // On a registration a zero-length frame is the answer to our heartbeat (rendezvous §5.6); elsewhere it ends it.
    if (bytes.length === 0 && presence) return;
    const message = this.#decode(bytes);
    switch (message?.union) {
      case 'punchHoleRequest':
        return this.#requests.onPunchHoleRequest(client, message.punchHoleRequest);
      case 'requestRelay':
        return this.#requests.onRequestRelay(client, message.requestRelay, bytes);
      case 'registerPk':
        return this.#registrations.onRegisterPkByClient(client, message.registerPk);
      case 'punchHoleSent':
        this.#answers.onPunchHoleSent(client, message.punchHoleSent);
        break;
      case 'localAddr':
        this.#answers.onLocalAddr(client, message.localAddr);
        break;
      case 'relayResponse':
        this.#answers.onRelayResponse(client, message.relayResponse);
        break;
      case 'testNatRequest':
        this.#queries.onNatTest(client, message.testNatRequest);
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
    if (message?.union === 'testNatRequest') this.#queries.onSecondNatTest(client);
    else if (message?.union !== 'onlineRequest' || !this.#queries.onOnlineRequest(client, message.onlineRequest))
      this.#o.counters.count('nat-port-not-handled', { from: client.remote.host, via: client.kind });
    client.close();
  }

  /** Whether an answer to this client may still come. */
  waits(client: Client): boolean {
    return this.#asks.waits(client);
  }

  onClosed(client: Client): void {
    this.#asks.removeClient(client);
    this.#registrations.onClosed(client);
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
