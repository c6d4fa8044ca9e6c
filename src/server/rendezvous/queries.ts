/** Questions about the asker's own address and about who is online (rendezvous §6.8). */
import { keyId } from '../../core/crypto/index.ts';
import { encodeRendezvous, type HostPort, hbb, mangleAddress, readOnlineIds } from '../../core/wire/index.ts';
import type { Client, UdpPath } from '../client.ts';
import type { DialledBack } from '../dial-back.ts';
import { isLoopback } from '../peer-table.ts';
import { RecentSources } from '../recent-sources.ts';
import { given, NO_BYTES } from './fields.ts';
import type { RendezvousOptions } from './options.ts';
import type { Outbox } from './outbox.ts';
import { type ServerList, SoftwareNotice } from './server-list.ts';

/** A stock controller has given up its NAT test by then. */
const NAT_TEST_WAIT_MS = 1_000;

/** Relays that a client is asked to measure: each costs it a connection. */
const MAX_RELAYS_NAMED = 8;

export class Queries {
  readonly #o: RendezvousOptions;
  readonly #outbox: Outbox;
  readonly #list: ServerList;
  readonly #software: SoftwareNotice;
  readonly #natTests: RecentSources;
  /** The last NAT test of addresses that have not proven themselves. */
  readonly #unanswered = new Map<string, { readonly from: HostPort; readonly path: UdpPath; readonly at: number }>();
  /** Askers of online queries that are being looked up, and those that are being dialled back. */
  readonly #answering = new Set<Client>();

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
    else if (this.#outbox.reply(path, from, encodeRendezvous({ testNatResponse: { port: from.port } }))) {
      this.#natTests.add(from);
      this.#unanswered.delete(from.host);
    } else this.#remember(from, path);
  }

  /**
   * A NAT test of ours: the answer names the whole address, and comes from the port that was wanted. Whoever asks has paid
   * for it with the length of the question, and it goes nowhere but back, so that this serves nobody against others.
   */
  onUdpAddressTest(message: hbb.ITestNatRequest, paidBytes: number, from: HostPort, path: UdpPath): void {
    const via = message.fromOtherAddress ? path.elsewhere : message.fromOtherPort ? path.other : path;
    const otherPort = path.other?.localPort;
    const seen = { port: from.port, address: mangleAddress(from), ...(otherPort === undefined ? {} : { otherPort }) };
    const other = path.elsewhere?.localHost;
    // What was not paid for is left out: the address that one can do without comes first.
    const answers = [...(other ? [{ ...seen, otherAddress: mangleAddress({ host: other, port: path.localPort ?? 0 }) }] : []), seen];
    const answer = answers.map((testNatResponse) => encodeRendezvous({ testNatResponse })).find(({ length }) => length <= paidBytes);
    if (via && answer) this.#outbox.reply(via, from, answer);
    else this.#o.counters.count('udp-not-handled', { from: from.host, via: 'udp' });
  }

  /** `host` has proven itself: a NAT test of the last second is answered after all, since its connection is what follows. */
  onProven(host: string): void {
    const test = this.#unanswered.get(host);
    if (!test) return;
    this.#unanswered.delete(host);
    if (this.#o.clock.now() - test.at < NAT_TEST_WAIT_MS) this.onUdpNatTest(test.from, test.path);
  }

  #remember(from: HostPort, path: UdpPath): void {
    this.#unanswered.delete(from.host);
    if (this.#unanswered.size >= this.#o.limits.maxUnansweredNatTests)
      for (const oldest of this.#unanswered.keys()) {
        this.#unanswered.delete(oldest);
        break;
      }
    this.#unanswered.set(from.host, { from, path, at: this.#o.clock.now() });
  }

  onSoftwareUpdate(message: hbb.ISoftwareUpdate | null | undefined, from: HostPort, path: UdpPath): void {
    const answer = this.#software.answerTo(message);
    if (answer) this.#outbox.reply(path, from, answer);
  }

  onConfigUpdate(message: hbb.IConfigUpdate | null | undefined, from: HostPort): void {
    if (!isLoopback(from.host) || !this.#list.takeOver(message)) this.#o.counters.count('udp-not-handled', { from: from.host, via: 'udp' });
  }

  /** On port P the answer also carries the deprecated list of servers. `done` is called behind it. */
  onNatTest(client: Client, message: hbb.ITestNatRequest | null | undefined, done: () => void): void {
    const cu = this.#list.newerThan(message?.serial);
    const relays = message?.wantRelays ? [...(this.#o.relayNames?.() ?? [])].slice(0, MAX_RELAYS_NAMED) : [];
    const { natTestPort: otherPort } = this.#o;
    const relayUdp = message?.wantRelays === true && this.#o.relayUdp;
    const whole = { ...seenAs(client, message), ...(message?.wantAddress ? { otherPort } : {}), ...(cu ? { cu } : {}), relays, ...given('relayUdp', relayUdp) };
    const answer = (more: hbb.ITestNatResponse = {}): void => {
      client.send(encodeRendezvous({ testNatResponse: { ...whole, ...more } }));
      done();
    };
    const dialling = this.#dialBack(client, message);
    if (!dialling) return answer();
    this.#answering.add(client);
    void dialling.then(({ fromOtherPort, fromOtherAddress }) => {
      this.#answering.delete(client);
      answer({ fromOtherPort: toWire(fromOtherPort), fromOtherAddress: toWire(fromOtherAddress) });
    });
  }

  /** Null where nobody is to be dialled: a client of another node, or behind a proxy, or in a WebSocket, has no port of its own. */
  #dialBack(client: Client, message: hbb.ITestNatRequest | null | undefined): Promise<DialledBack> | null {
    if (!message?.wantAddress || !message.fromOtherPort || client.kind !== 'tcp' || client.forwarded) return null;
    return this.#o.dialBack?.dial(client.remote, client.localHost) ?? null;
  }

  /** On port P-1 it does not. */
  onSecondNatTest(client: Client, message: hbb.ITestNatRequest | null | undefined): void {
    client.send(encodeRendezvous({ testNatResponse: seenAs(client, message) }));
  }

  /** How a client with an older key of this server gets to the present one. */
  onServerKeyRequest(client: Client, message: hbb.IServerKeyRequest | null | undefined): void {
    const { keys } = this.#o;
    const statements = [...keys.statementsFrom(message?.serverKeyId ?? NO_BYTES)];
    client.send(encodeRendezvous({ serverKeyResponse: { serverKeyId: keyId(keys.publicKey), statements } }));
  }

  /** Whether an answer to this client is being put together. */
  waits(client: Client): boolean {
    return this.#answering.has(client);
  }

  /** Answers an online query of any size that is allowed, and calls `done`. False: it is none, or too large. */
  onOnlineRequest(client: Client, bytes: Uint8Array, done: () => void): boolean {
    const ids = readOnlineIds(bytes, this.#o.limits.maxOnlineIds);
    if (!ids) return false;
    this.#answering.add(client);
    const { peers, cluster, limits } = this.#o;
    const answer = (online: readonly boolean[]): void => {
      this.#answering.delete(client);
      client.send(encodeRendezvous({ onlineResponse: { states: onlineStates(online) } }));
      done();
    };
    const here = (id: string): boolean => {
      const peer = peers.inMemory(id);
      return peer !== undefined && peers.isOnline(peer);
    };
    if (cluster) void cluster.online(ids, here).then(answer);
    else {
      const online: boolean[] = [];
      // In slices: whoever asks for a hundred thousand must not hold up the others.
      const next = (): void => {
        if (client.closed) return void this.#answering.delete(client);
        const from = online.length;
        for (const id of ids.slice(from, from + limits.onlineIdsPerSlice)) online.push(here(id));
        if (online.length < ids.length) setImmediate(next);
        else answer(online);
      };
      next();
    }
    return true;
  }
}

function toWire(arrived: boolean | null): hbb.TestNatResponse.DialBack {
  const { NOT_DIALLED, ARRIVED, SILENT } = hbb.TestNatResponse.DialBack;
  return arrived === null ? NOT_DIALLED : arrived ? ARRIVED : SILENT;
}

function seenAs({ remote }: Client, message: hbb.ITestNatRequest | null | undefined): hbb.ITestNatResponse {
  return { port: remote.port, ...(message?.wantAddress ? { address: mangleAddress(remote) } : {}) };
}

/** One bit an id, the first in the highest bit. */
function onlineStates(online: readonly boolean[]): Uint8Array {
  const states = new Uint8Array(Math.ceil(online.length / 8));
  online.forEach((yes, i) => {
    if (yes) states[i >> 3] = (states[i >> 3] ?? 0) | (0x80 >> (i & 7));
  });
  return states;
}
