/** Questions about the asker's own address and about who is online (rendezvous §6.8). */
import { keyId } from '../../core/crypto/index.ts';
import { encodeRendezvous, type HostPort, type hbb } from '../../core/wire/index.ts';
import type { Client, UdpPath } from '../client.ts';
import { isLoopback } from '../peer-table.ts';
import { RecentSources } from '../recent-sources.ts';
import { NO_BYTES } from './fields.ts';
import type { RendezvousOptions } from './options.ts';
import type { Outbox } from './outbox.ts';
import { type ServerList, SoftwareNotice } from './server-list.ts';

export class Queries {
  readonly #o: RendezvousOptions;
  readonly #outbox: Outbox;
  readonly #list: ServerList;
  readonly #software: SoftwareNotice;
  readonly #natTests: RecentSources;

  constructor(options: RendezvousOptions, outbox: Outbox, list: ServerList) {
    this.#o = options;
    this.#outbox = outbox;
    this.#list = list;
    this.#software = new SoftwareNotice(options.softwareUrl ?? '');
    this.#natTests = new RecentSources(options.limits.natTestDedupeMs, options.limits.maxNatTestsPerSlot, options.clock);
  }

  /**
   * Of the copies that a stock controller sends at once, one is answered: it takes a second answer for its peer's first
   * datagram (rendezvous §9.1). The answer is longer than the question: a controller whose address is neither registered
   * here nor had a connection to us gets it for its third copy, 20 ms later.
   */
  onUdpNatTest(from: HostPort, path: UdpPath): void {
    if (this.#natTests.has(from)) this.#o.counters.count('nat-test-repeated');
    else if (this.#outbox.reply(path, from, encodeRendezvous({ testNatResponse: { port: from.port } }))) this.#natTests.add(from);
  }

  onSoftwareUpdate(message: hbb.ISoftwareUpdate | null | undefined, from: HostPort, path: UdpPath): void {
    const answer = this.#software.answerTo(message);
    if (answer) this.#outbox.reply(path, from, answer);
  }

  onConfigUpdate(message: hbb.IConfigUpdate | null | undefined, from: HostPort): void {
    if (!isLoopback(from.host) || !this.#list.takeOver(message)) this.#o.counters.count('udp-not-handled', { from: from.host, via: 'udp' });
  }

  /** On port P the answer also carries the deprecated list of servers. */
  onNatTest(client: Client, message: hbb.ITestNatRequest | null | undefined): void {
    const cu = this.#list.newerThan(message?.serial);
    client.send(encodeRendezvous({ testNatResponse: { port: client.remote.port, ...(cu ? { cu } : {}) } }));
  }

  /** On port P-1 it does not. */
  onSecondNatTest(client: Client): void {
    client.send(encodeRendezvous({ testNatResponse: { port: client.remote.port } }));
  }

  /** How a client with an older key of this server gets to the present one. */
  onServerKeyRequest(client: Client, message: hbb.IServerKeyRequest | null | undefined): void {
    const { keys } = this.#o;
    const statements = [...keys.statementsFrom(message?.serverKeyId ?? NO_BYTES)];
    client.send(encodeRendezvous({ serverKeyResponse: { serverKeyId: keyId(keys.publicKey), statements } }));
  }

  /** Answers and calls `done`. False when the query is larger than we answer. */
  onOnlineRequest(client: Client, message: hbb.IOnlineRequest | null | undefined, done: () => void): boolean {
    const ids = message?.peers ?? [];
    if (ids.length > this.#o.limits.maxOnlineIds) return false;
    const answer = (online: readonly boolean[]): void => {
      client.send(encodeRendezvous({ onlineResponse: { states: onlineStates(online) } }));
      done();
    };
    const here = (id: string): boolean => {
      const peer = this.#o.peers.inMemory(id);
      return peer !== undefined && this.#o.peers.isOnline(peer);
    };
    if (this.#o.cluster) void this.#o.cluster.online(ids, here).then(answer);
    else answer(ids.map(here));
    return true;
  }
}

/** One bit an id, the first in the highest bit. */
function onlineStates(online: readonly boolean[]): Uint8Array {
  const states = new Uint8Array(Math.ceil(online.length / 8));
  online.forEach((yes, i) => {
    if (yes) states[i >> 3] = (states[i >> 3] ?? 0) | (0x80 >> (i & 7));
  });
  return states;
}
