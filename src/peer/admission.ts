/**
 * Who may have a connection open before it has logged in. Strangers cost a socket, buffers and a place each, for as long as
 * somebody may take to type a password; so there are few places, and no single address can take them all.
 */
import { isIPv6 } from 'node:net';
import { type Clock, systemClock } from '../core/clock.ts';
import { plainAddress } from '../net/index.ts';

/** Connections that have not logged in, from everywhere: with {@link PAYLOAD_LIMITS}.login each, at most about 100 MiB. */
export const MAX_STRANGERS = 48;
/** The same from one address (for IPv6 one /64, which is what one customer gets): a few people behind one NAT, retrying. */
export const MAX_STRANGERS_PER_ADDRESS = 8;

/** Connections that wait for a place, from everywhere and from one address: each is a socket that is not read. */
export const MAX_WAITING = 64;
export const MAX_WAITING_PER_ADDRESS = 48;
/** A login takes some round trips; who still waits after this waits for strangers that do not log in. */
export const PLACE_WAIT_MS = 5_000;

/** One place. Give it back exactly when the connection has logged in or is over; twice does no harm. */
export interface Admission {
  release(): void;
}

interface Place {
  readonly key: string;
  readonly evict: () => void;
}

interface Waiter {
  readonly key: string;
  readonly wake: () => void;
}

export class AdmissionGate {
  /** In the order of their coming. */
  readonly #places = new Set<Place>();
  readonly #perAddress = new Map<string, number>();
  /** In the order of their coming. */
  readonly #waiting = new Set<Waiter>();
  readonly #clock: Clock;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Places taken now. */
  get size(): number {
    return this.#places.size;
  }

  /**
   * A place for a connection from `host`, or null when there is none. When all are taken, the oldest of the address that
   * has the most gives way (its `evict` is called, which must end the connection), provided that it has more than the newcomer's.
   */
  admit(host: string, evict: () => void): Admission | null {
    const key = admissionKey(host);
    const own = this.#perAddress.get(key) ?? 0;
    if (own >= MAX_STRANGERS_PER_ADDRESS) return null;
    if (this.#places.size >= MAX_STRANGERS && !this.#makeRoom(own)) return null;
    const place: Place = { key, evict };
    this.#places.add(place);
    this.#perAddress.set(key, own + 1);
    return { release: () => this.#release(place) };
  }

  /**
   * The same, but where the places of that address are taken it waits for one: a stock peer logs in anew for every connection
   * through a tunnel, and a browser makes many at once (session §7). Null also when `signal` is aborted.
   */
  async admitSoon(host: string, evict: () => void, signal: AbortSignal): Promise<Admission | null> {
    const key = admissionKey(host);
    const untilMs = this.#clock.now() + PLACE_WAIT_MS;
    for (;;) {
      const admission = signal.aborted ? null : this.admit(host, evict);
      const leftMs = untilMs - this.#clock.now();
      if (admission || signal.aborted || leftMs <= 0 || !this.#mayWait(key)) return admission;
      await this.#freed(key, leftMs, signal);
    }
  }

  #mayWait(key: string): boolean {
    const own = [...this.#waiting].filter((waiter) => waiter.key === key).length;
    return own < MAX_WAITING_PER_ADDRESS && this.#waiting.size < MAX_WAITING;
  }

  /** Resolves when this address may have a place again, or at the latest after `timeoutMs`. */
  #freed(key: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        cancel();
        signal.removeEventListener('abort', wake);
        this.#waiting.delete(waiter);
        resolve();
      };
      const waiter: Waiter = { key, wake };
      const cancel = this.#clock.setTimer(timeoutMs, wake);
      signal.addEventListener('abort', wake, { once: true });
      this.#waiting.add(waiter);
    });
  }

  #makeRoom(own: number): boolean {
    let most = own;
    let from: string | null = null;
    for (const [key, count] of this.#perAddress)
      if (count > most) {
        most = count;
        from = key;
      }
    if (from === null) return false;
    for (const place of this.#places)
      if (place.key === from) {
        this.#release(place);
        place.evict();
        return true;
      }
    return false;
  }

  #release(place: Place): void {
    if (!this.#places.delete(place)) return;
    const left = (this.#perAddress.get(place.key) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(place.key, left);
    else this.#perAddress.delete(place.key);
    for (const waiter of this.#waiting) if (waiter.key === place.key) return waiter.wake();
  }
}

/** What counts as one address: an IPv4 address, or an IPv6 /64. */
export function admissionKey(host: string): string {
  const plain = plainAddress(host);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail = ''] = plain.split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  const groups = plain.includes('::')
    ? [...before, ...Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0'), ...after]
    : before;
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
