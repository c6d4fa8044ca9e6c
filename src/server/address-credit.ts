/**
 * How much may be sent by UDP to whom. A datagram's source can be forged, so an address gets at most as many bytes as
 * came from it, until it has proven that somebody is there: by a TCP connection, whose handshake cannot be forged, or by
 * bringing back random bits that were sent to it by UDP (asks.ts).
 *
 * A table of fixed size instead of a map: it is looked up for every datagram, and forged sources cannot make it grow; an
 * address that loses its place to another earns anew with its next heartbeat.
 */
import { randomBytes } from 'node:crypto';

const PROVEN = 0xffff;

export interface AddressCreditLimits {
  /** Places in the table, a power of two; 6 bytes each. */
  readonly udpCreditSlots: number;
  /** Bytes an address can save up. */
  readonly udpCreditBytes: number;
  /** Bytes of pushes to one unproven address, between two calls of age(), that those who ask for the pushes may pay. */
  readonly udpUnprovenPushBytes: number;
}

export class AddressCredit {
  readonly #limits: AddressCreditLimits;
  readonly #mask: number;
  /** High half: tag of the address; low half: its bytes, or PROVEN. */
  readonly #slots: Uint32Array;
  /** Bytes of paid pushes to the address in the slot. */
  readonly #paid: Uint16Array;
  // Secret starting points: nobody can choose addresses that share a place with another's.
  readonly #seedA = randomBytes(4).readInt32LE(0);
  readonly #seedB = randomBytes(4).readInt32LE(0);
  #tag = 0;
  #lastHost = '';
  #lastAt = 0;

  constructor(limits: AddressCreditLimits) {
    this.#limits = limits;
    this.#mask = limits.udpCreditSlots - 1;
    this.#slots = new Uint32Array(limits.udpCreditSlots);
    this.#paid = new Uint16Array(limits.udpCreditSlots);
  }

  /** A datagram of this size came from `host`. */
  earn(host: string, bytes: number): void {
    const at = this.#take(host);
    const credit = (this.#slots[at] ?? 0) & 0xffff;
    if (credit !== PROVEN) this.#set(at, Math.min(credit + bytes, this.#limits.udpCreditBytes));
  }

  /** Whether `bytes` may be sent to `host`; takes them off its credit. */
  spend(host: string, bytes: number): boolean {
    const at = this.#take(host);
    const credit = (this.#slots[at] ?? 0) & 0xffff;
    if (credit === PROVEN) return true;
    if (credit < bytes) return false;
    this.#set(at, credit - bytes);
    return true;
  }

  /**
   * The same for a push that somebody else's request of `paid` bytes asked for: those bytes count as its price, since
   * whoever wants to flood the address had to send them. For an unproven address only up to a bound.
   */
  spendPush(host: string, bytes: number, paid: number): boolean {
    const at = this.#take(host);
    if (((this.#slots[at] ?? 0) & 0xffff) === PROVEN) return true;
    const used = (this.#paid[at] ?? 0) + bytes;
    if (used > Math.min(this.#limits.udpUnprovenPushBytes, 0xffff)) return this.spend(host, bytes);
    if (!this.spend(host, Math.max(0, bytes - paid))) return false;
    this.#paid[at] = used;
    return true;
  }

  /** Somebody is there: a TCP handshake was completed, or what was sent there came back. */
  prove(host: string): void {
    this.#set(this.#take(host), PROVEN);
  }

  isProven(host: string): boolean {
    return ((this.#slots[this.#take(host)] ?? 0) & 0xffff) === PROVEN;
  }

  /** Proof grows old, since addresses change hands: what was proven keeps its credit. Call about once an hour. */
  age(): void {
    for (let at = 0; at <= this.#mask; at++)
      if (((this.#slots[at] ?? 0) & 0xffff) === PROVEN)
        this.#slots[at] = (((this.#slots[at] ?? 0) & 0xffff0000) | this.#limits.udpCreditBytes) >>> 0;
    this.#paid.fill(0);
  }

  /** The place of `host`: one of two, emptied when another address had it. */
  #take(host: string): number {
    // A datagram is counted and answered in one go, with one and the same string.
    if (host === this.#lastHost) return this.#lastAt;
    let a = this.#seedA;
    let b = this.#seedB;
    for (let i = 0; i < host.length; i++) {
      const code = host.charCodeAt(i);
      a = Math.imul(a ^ code, 0x01000193);
      b = Math.imul(b ^ code, 0x5bd1e995);
    }
    a ^= a >>> 15;
    const tag = (((b ^ (b >>> 16)) & 0xffff) << 16) >>> 0;
    const first = a & this.#mask;
    const second = first ^ 1;
    const one = this.#slots[first] ?? 0;
    const two = this.#slots[second] ?? 0;
    let at: number;
    if (((one & 0xffff0000) >>> 0) === tag) at = first;
    else if (((two & 0xffff0000) >>> 0) === tag) at = second;
    else {
      // Who has more stays: a flood of forged sources pushes out its own.
      at = (one & 0xffff) <= (two & 0xffff) ? first : second;
      this.#slots[at] = tag;
      this.#paid[at] = 0;
    }
    this.#lastHost = host;
    this.#lastAt = at;
    this.#tag = tag;
    return at;
  }

  #set(at: number, credit: number): void {
    this.#slots[at] = (this.#tag | credit) >>> 0;
  }
}
