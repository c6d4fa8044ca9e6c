/**
 * Who asked for whom: the requests that wait for the controlled side's answer (rendezvous §1.3, §6.2).
 *
 * The open server gives an answer to whoever holds the address it names, and takes it from anybody. Here an answer must
 * name an address under which somebody waits for that very id, and show that its sender got the message: `socket_addr` of
 * an IPv4 controller has 32 free bits (rendezvous §3.2), which we fill at random and clients send back as they are. A
 * client that encodes the address anew, as for LocalAddr, must come from the address that the id is registered at.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/clock.ts';
import { type HostPort, mangleAddress, unmangleAddress } from '../core/wire/index.ts';
import type { Client } from './client.ts';
import type { ServerLimits } from './limits.ts';

export interface Ask {
  readonly client: Client;
  readonly id: string;
  readonly kind: 'punch' | 'relay';
  /** What the controlled side gets as socket_addr. */
  readonly socketAddr: Uint8Array;
  readonly addressKey: string;
  /** The controller can be reached over UDP, so the answer may come by UDP. */
  udp: boolean;
  /** When it was last asked, ms. */
  askedAt: number;
  /** Why the server itself demands the relay; for logs. */
  why: string | undefined;
}

export class Asks {
  readonly #byAddress = new Map<string, Ask[]>();
  readonly #byClient = new Map<Client, Ask[]>();
  readonly #clock: Clock;
  readonly #limits: ServerLimits;
  #size = 0;

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#size;
  }

  /** The ask of this client for this id; a repeated request gets the one that waits. Null: too many. */
  add(client: Client, id: string, kind: Ask['kind'], udp: boolean): Ask | null {
    const own = this.#byClient.get(client) ?? [];
    const same = own.find((ask) => ask.id === id && ask.kind === kind);
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
   * The live ask that an answer with this `socketAddr` belongs to. `fits` says whether the answer's other fields suit an
   * ask, `fromPeer` whether its sender is at the address where that id is registered.
   */
  match(socketAddr: Uint8Array, fits: (ask: Ask) => boolean, fromPeer: (id: string) => boolean): Ask | null {
    const asks = this.#byAddress.get(addressKey(unmangleAddress(socketAddr)));
    if (!asks) return null;
    const oldest = this.#clock.now() - this.#limits.askLifetimeMs;
    const live = asks.filter((ask) => ask.askedAt >= oldest && fits(ask));
    // Only IPv4 has room for the random bits; the 18 bytes of IPv6 prove nothing.
    const proven = socketAddr.length <= 16 ? live.find((ask) => Buffer.compare(ask.socketAddr, socketAddr) === 0) : undefined;
    return proven ?? live.find((ask) => fromPeer(ask.id)) ?? null;
  }

  remove(ask: Ask): void {
    const there = this.#byAddress.get(ask.addressKey);
    const at = there?.indexOf(ask) ?? -1;
    if (!there || at < 0) return;
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
    return expired;
  }
}

function addressKey(address: HostPort): string {
  return `${address.host}|${address.port}`;
}
