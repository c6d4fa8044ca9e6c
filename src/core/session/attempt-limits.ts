import type { Clock } from '../clock.ts';
import * as limits from './limits.ts';
import { LOGIN } from './login-strings.ts';

interface Counter {
  minute: number;
  inMinute: number;
  total: number;
}

/** Wrong proofs allowed per IPv6 prefix, in bits (session §2.6): one person can have all addresses of a /64. */
const IPV6_PREFIXES: readonly (readonly [bits: number, limit: number])[] = [
  [64, 60],
  [56, 80],
  [48, 100],
];

/** Counts wrong proofs per source address, and per prefix for IPv6 (session §2.6). Bounded; oldest forgotten first. */
export class AttemptLimits {
  readonly #clock: Clock;
  readonly #addresses = new Map<string, Counter>();
  readonly #prefixes = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The text to refuse with, or null when `address` may try. */
  blocked(address: string): string | null {
    const counter = this.#addresses.get(address);
    if (counter) {
      if (counter.total > limits.ATTEMPTS_TOTAL) return LOGIN.tooManyAttempts;
      if (counter.minute === this.#minute() && counter.inMinute > limits.ATTEMPTS_PER_MINUTE)
        return LOGIN.waitMinute;
    }
    for (const [bits, limit] of IPV6_PREFIXES) {
      const prefix = ipv6Prefix(address, bits);
      if (prefix && (this.#prefixes.get(prefix) ?? 0) > limit)
        return `${LOGIN.tooManyAttempts} for IPv6 prefix /${bits}`;
    }
    return null;
  }

  failed(address: string): void {
    const minute = this.#minute();
    const counter = this.#addresses.get(address) ?? { minute, inMinute: 0, total: 0 };
    if (counter.minute !== minute) {
      counter.minute = minute;
      counter.inMinute = 0;
    }
    counter.inMinute++;
    counter.total++;
    put(this.#addresses, address, counter);
    for (const [bits] of IPV6_PREFIXES) {
      const prefix = ipv6Prefix(address, bits);
      if (prefix) put(this.#prefixes, prefix, (this.#prefixes.get(prefix) ?? 0) + 1);
    }
  }

  succeeded(address: string): void {
    this.#addresses.delete(address);
    for (const [bits] of IPV6_PREFIXES) {
      const prefix = ipv6Prefix(address, bits);
      if (prefix) this.#prefixes.delete(prefix);
    }
  }

  #minute(): number {
    return Math.floor(this.#clock.now() / 60_000);
  }
}

function put<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > limits.MAX_TRACKED_SOURCES) {
    const oldest = map.keys().next();
    if (!oldest.done) map.delete(oldest.value);
  }
}

/** The first `bits` bits of an IPv6 address as text with its length, or null for anything else. */
export function ipv6Prefix(address: string, bits: number): string | null {
  if (!address.includes(':')) return null;
  const [head = '', tail] = address.split('%')[0]?.split('::', 2) ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = 8 - left.length - right.length;
  if (missing < 0) return null;
  const groups = [...left, ...Array<string>(tail === undefined ? 0 : missing).fill('0'), ...right];
  let value = '';
  for (const group of groups) {
    const number = Number.parseInt(group, 16);
    if (!Number.isInteger(number) || number < 0 || number > 0xffff) return null;
    value += number.toString(16).padStart(4, '0');
  }
  return `${value.slice(0, bits / 4)}/${bits}`;
}

/** The host part of `ip:port` or `[ip]:port`; anything else as it stands. */
export function addressHost(address: string): string {
  const bracket = /^\[([^\]]+)\](?::\d+)?$/.exec(address);
  if (bracket?.[1]) return bracket[1];
  const plain = /^([^:]+):\d+$/.exec(address);
  return plain?.[1] ?? address;
}
