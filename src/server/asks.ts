/**
 * Who asked for whom: the requests that wait for the controlled side's answer (rendezvous §1.3, §6.2).
 *
 * The open server gives an answer to whoever holds the address it names, and takes it from anybody. Here an answer must
 * name an address under which somebody waits for that very id, and its sender must show that he is the one who was asked:
 *
 * - `token`: socket_addr of an IPv4 controller has 32 free bits (rendezvous §3.2). We fill them at random, and clients
 *   send them back as they are. Nobody else can know them.
 * - `address`: the sender is at the address where that id is registered. All there is for an IPv6 controller, whose
 *   18 bytes have no free bit, and for LocalAddr, for which clients encode the address anew. It also covers others behind
 *   the same NAT, who however would have to know the controller's port; after some wrong guesses they are not heard.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { type HostPort, mangleAddress, unmangleAddress } from '../core/wire/index.ts';
import type { Client } from './client.ts';
import type { ServerKeys } from './key-file.ts';
import type { ServerLimits } from './limits.ts';
import { sameNetwork } from './networks.ts';

/** `local`: asked for its local address; `punch`: to open a hole; `relay`: to come to a relay. */
export type AskKind = 'punch' | 'local' | 'relay';

export interface Ask {
  readonly client: Client;
  readonly id: string;
  readonly kind: AskKind;
  /** What the controlled side gets as socket_addr. */
  readonly socketAddr: Uint8Array;
  readonly addressKey: string;
  /** The controller can be reached over UDP, so the answer may come by UDP. */
  udp: boolean;
  /** The relay uuid that the controller asked for. */
  uuid?: string | undefined;
  /** Where the controller waits at the relay beside direct attempts. */
  relayUuid?: string | undefined;
  /** The controller can use a relay ticket. */
  wantsTicket?: boolean | undefined;
  /** The server key that the controller can check signatures with; absent: the present one. */
  signer?: ServerKeys | undefined;
  /** When it was last asked, ms. */
  askedAt: number;
  /** Why the server itself demands the relay; for logs. */
  why: string | undefined;
  /** Ends the wait of an answer that could be an impostor's (rendezvous/answers.ts). */
  cancelHeld: (() => void) | null;
}

export interface Match {
  readonly ask: Ask;
  readonly proof: 'token' | 'address';
}

export class Asks {
  readonly #byAddress = new Map<string, Ask[]>();
  readonly #byClient = new Map<Client, Ask[]>();
  readonly #wrongGuesses = new Map<string, number>();
  readonly #clock: Clock;
  readonly #limits: ServerLimits;
  #size = 0;
  #guessesSince: number;

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
    this.#guessesSince = clock.now();
  }

  get size(): number {
    return this.#size;
  }

  /** The ask of this client for this id; a repeated request gets the one that waits, of its old kind. Null: too many. */
  add(client: Client, id: string, kind: AskKind, udp: boolean): Ask | null {
    const own = this.#byClient.get(client) ?? [];
    const same = own.find((ask) => ask.id === id && (ask.kind === 'relay') === (kind === 'relay'));
    if (same) {
      same.askedAt = this.#clock.now();
      same.udp = udp;
      return same;
    }
    if (own.length >= this.#limits.maxAsksPerConnection || this.#size >= this.#limits.maxAsks) return null;
    const ask: Ask = {
      client,
      id,
      kind,
      socketAddr: mangleAddress(client.remote, randomBytes(4).readUInt32LE(0)),
      addressKey: addressKey(client.remote),
      udp,
      askedAt: this.#clock.now(),
      why: undefined,
      cancelHeld: null,
    };
    own.push(ask);
    this.#byClient.set(client, own);
    const there = this.#byAddress.get(ask.addressKey);
    if (there) there.push(ask);
    else this.#byAddress.set(ask.addressKey, [ask]);
    this.#size++;
    return ask;
  }

  /**
   * The live ask that an answer from `senderHost` with this `socketAddr` belongs to. `fits` says whether the answer's
   * other fields suit an ask, `hostOf` where an id is registered.
   */
  match(
    socketAddr: Uint8Array,
    senderHost: string,
    fits: (ask: Ask) => boolean,
    hostOf: (id: string) => string | undefined,
  ): Match | null {
    const asks = this.#byAddress.get(addressKey(unmangleAddress(socketAddr))) ?? [];
    const oldest = this.#clock.now() - this.#limits.askLifetimeMs;
    const live = asks.filter((ask) => ask.askedAt >= oldest && fits(ask));
    // Only IPv4 has room for the random bits; the 18 bytes of IPv6 prove nothing.
    const token = socketAddr.length <= 16 ? live.find((ask) => Buffer.compare(ask.socketAddr, socketAddr) === 0) : undefined;
    if (token) return { ask: token, proof: 'token' };
    const ask = live.find((one) => sameNetwork(hostOf(one.id) ?? '', senderHost));
    const heard = (this.#wrongGuesses.get(senderHost) ?? 0) < this.#limits.maxWrongAnswers;
    return ask && heard ? { ask, proof: 'address' } : null;
  }

  remove(ask: Ask): void {
    const there = this.#byAddress.get(ask.addressKey);
    const at = there?.indexOf(ask) ?? -1;
    if (!there || at < 0) return;
    ask.cancelHeld?.();
    ask.cancelHeld = null;
    there.splice(at, 1);
    if (there.length === 0) this.#byAddress.delete(ask.addressKey);
    this.#size--;
    const own = this.#byClient.get(ask.client);
    if (!own) return;
    own.splice(own.indexOf(ask), 1);
    if (own.length === 0) this.#byClient.delete(ask.client);
  }

  removeClient(client: Client): void {
    for (const ask of [...(this.#byClient.get(client) ?? [])]) this.remove(ask);
  }

  /** Whether this client waits for an answer. */
  waits(client: Client): boolean {
    return this.#byClient.has(client);
  }

  /** Drops what nobody may answer any more, and says what that was. Call now and then. */
  expire(): Ask[] {
    const expired: Ask[] = [];
    const oldest = this.#clock.now() - this.#limits.askLifetimeMs;
    for (const asks of [...this.#byClient.values()])
      for (const ask of [...asks])
        if (ask.askedAt < oldest) {
          this.remove(ask);
          expired.push(ask);
        }
    if (this.#guessesSince < oldest) {
      this.#wrongGuesses.clear();
      this.#guessesSince = this.#clock.now();
    }
    return expired;
  }

  /** An answer from `host` belonged to nobody who waits, here or at another node. */
  countWrong(host: string): void {
    const count = this.#wrongGuesses.get(host) ?? 0;
    if (count === 0 && this.#wrongGuesses.size >= this.#limits.maxWrongAnswerHosts)
      for (const oldest of this.#wrongGuesses.keys()) {
        this.#wrongGuesses.delete(oldest);
        break;
      }
    this.#wrongGuesses.set(host, count + 1);
  }
}

function addressKey(address: HostPort): string {
  return `${address.host}|${address.port}`;
}
