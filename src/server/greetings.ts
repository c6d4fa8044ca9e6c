/**
 * With which key the server greets a connection (rendezvous §6.9). The greeting comes before the client has said anything,
 * and one with a key that the client does not have is fatal for it. While two keys overlap, an address whose client hung
 * up on our greeting is greeted with the other key the next time: such clients come back within seconds.
 */
import { boxKeyPair, type ServerKeyExchange, serverKeyExchange } from '../core/crypto/index.ts';
import type { KeyRing } from './key-ring.ts';
import type { ServerKeys } from './key-file.ts';

/** Addresses remembered; the oldest go first. */
const MAX_REMEMBERED = 10_000;

export class Greetings {
  readonly #keys: KeyRing;
  // One box key for this run: its signature is made once, and a new key with every start is fresh enough for what S and
  // a client say to each other.
  readonly #box = boxKeyPair();
  readonly #byPair = new Map<ServerKeys, ServerKeyExchange>();
  /** How many greetings in a row this address hung up on. */
  readonly #refused = new Map<string, number>();

  constructor(keys: KeyRing) {
    this.#keys = keys;
  }

  /** The greeting for the next connection from `host`. */
  for(host: string): ServerKeyExchange {
    const pairs = this.#keys.pairs();
    const pair = pairs[(this.#refused.get(host) ?? 0) % pairs.length] ?? this.#keys.current;
    let exchange = this.#byPair.get(pair);
    if (!exchange) {
      exchange = serverKeyExchange(pair.secretKey, this.#box);
      this.#byPair.set(pair, exchange);
    }
    return exchange;
  }

  /** A connection from `host` ended after the greeting, without a byte from the client. */
  refused(host: string): void {
    if (this.#keys.pairs().length < 2) return this.#refused.clear();
    const times = (this.#refused.get(host) ?? 0) + 1;
    this.#refused.delete(host);
    if (this.#refused.size >= MAX_REMEMBERED)
      for (const oldest of this.#refused.keys()) {
        this.#refused.delete(oldest);
        break;
      }
    this.#refused.set(host, times);
  }
}
