/** Two endpoints and the line between them over virtual time, for tests. */
import { type SeededRandom } from '../testing/seeds.ts';
import { type LineShape, ShapedLine } from '../testing/shaped-line.ts';
import { MAX_DATAGRAM } from './constants.ts';
import { KcpEndpoint } from './endpoint.ts';

/** Ethernet, IPv4 and UDP in front of each datagram. */
export const DATAGRAM_OVERHEAD = 14 + 20 + 8;
/** More datagrams at one moment than all windows together allow are a flood. */
const MAX_AT_ONCE = 6_000;

/** What a driver of KCP must offer for two of them to be joined: `Kcp` and `KcpEndpoint` do. */
export interface Driven {
  handle(nowMs: number, datagram: Uint8Array): void;
  pollTransmit(nowMs: number, out: Uint8Array, at: number): number;
  pollTimeout(nowMs: number): number;
}

/** One end: what it sends goes into `out`, what comes out of `in` is handed to it. */
export class SimulatedEnd<T extends Driven> {
  readonly driven: T;
  readonly out: ShapedLine<Uint8Array>;
  readonly in: ShapedLine<Uint8Array>;
  /** Asleep until then: neither called nor given what arrives. */
  suspendedUntil = -Infinity;
  sent = 0;
  /** Wake-ups by its own timer that had nothing to send. */
  idleWakeUps = 0;
  #wakeAt = 0;
  readonly #buffer = new Uint8Array(MAX_DATAGRAM);

  constructor(driven: T, out: ShapedLine<Uint8Array>, incoming: ShapedLine<Uint8Array>) {
    this.driven = driven;
    this.out = out;
    this.in = incoming;
  }

  /** Takes what has arrived; true: there was something. */
  receive(nowMs: number): boolean {
    let some = false;
    for (let datagram = this.in.pop(nowMs); datagram !== undefined; datagram = this.in.pop(nowMs)) {
      if (nowMs < this.suspendedUntil) continue;
      this.driven.handle(nowMs, datagram);
      some = true;
    }
    return some;
  }

  /** Sends what may leave and notes when to be called again, in whole milliseconds from now as timers have it. */
  transmit(nowMs: number, provoked: boolean): void {
    if (nowMs < this.suspendedUntil) return;
    let count = 0;
    for (;;) {
      const length = this.driven.pollTransmit(nowMs, this.#buffer, 0);
      if (length === 0) break;
      if (length > MAX_DATAGRAM) throw new Error(`a datagram of ${length} bytes`);
      if (++count > MAX_AT_ONCE) throw new Error('a flood of datagrams at one moment');
      this.out.push(nowMs, this.#buffer.slice(0, length), length + DATAGRAM_OVERHEAD);
    }
    this.sent += count;
    if (count === 0 && !provoked && nowMs >= this.#wakeAt) this.idleWakeUps++;
    const at = this.driven.pollTimeout(nowMs);
    this.#wakeAt = at === Infinity ? Infinity : nowMs + Math.max(1, Math.ceil(at - nowMs));
  }

  nextAt(nowMs: number): number {
    const own = nowMs < this.suspendedUntil ? this.suspendedUntil : this.#wakeAt;
    return Math.min(own, this.in.nextAt());
  }
}

export function join<A extends Driven, B extends Driven>(
  a: A,
  b: B,
  shapes: { readonly there: LineShape; readonly back: LineShape },
  random: SeededRandom,
): [SimulatedEnd<A>, SimulatedEnd<B>] {
  const there = new ShapedLine<Uint8Array>(shapes.there, random);
  const back = new ShapedLine<Uint8Array>(shapes.back, random);
  return [new SimulatedEnd(a, there, back), new SimulatedEnd(b, back, there)];
}

/** An endpoint's user: writes a known stream in pieces, reads with pauses, and checks every byte of what comes. */
export class SimulatedUser {
  readonly end: SimulatedEnd<KcpEndpoint>;
  readonly #random: SeededRandom;
  readonly #total: number;
  readonly #expected: number;
  readonly #key: number;
  readonly #peerKey: number;
  readonly #pauses: boolean;
  #written = 0;
  #received = 0;
  #pausedUntil = 0;

  constructor(
    end: SimulatedEnd<KcpEndpoint>,
    random: SeededRandom,
    stream: {
      readonly total: number;
      readonly expected: number;
      readonly key: number;
      readonly peerKey: number;
      readonly pauses: boolean;
    },
  ) {
    this.end = end;
    this.#random = random;
    this.#total = stream.total;
    this.#expected = stream.expected;
    this.#key = stream.key;
    this.#peerKey = stream.peerKey;
    this.#pauses = stream.pauses;
  }

  get received(): number {
    return this.#received;
  }

  get complete(): boolean {
    return this.#received === this.#expected && this.#written === this.#total;
  }

  /** Everything that was written has been acknowledged. */
  get settled(): boolean {
    return this.complete && this.end.driven.waiting === 0;
  }

  use(nowMs: number): void {
    const endpoint = this.end.driven;
    if (nowMs < this.end.suspendedUntil) return;
    if (this.#written < this.#total) {
      const length = Math.min(this.#total - this.#written, this.#random.between(1, 9_000));
      this.#written += endpoint.write(patternOf(this.#key, this.#written, length));
    }
    if (nowMs < this.#pausedUntil) return;
    for (let chunk = endpoint.read(); chunk !== undefined; chunk = endpoint.read()) {
      this.#check(chunk);
      if (this.#pauses && this.#random.chance(0.05)) {
        this.#pausedUntil = nowMs + this.#random.between(1, 1_500);
        return;
      }
    }
  }

  nextAt(nowMs: number): number {
    if (nowMs < this.end.suspendedUntil) return this.end.suspendedUntil;
    if (nowMs < this.#pausedUntil) return this.#pausedUntil;
    return this.#written < this.#total && this.end.driven.state === 'established' ? nowMs + 5 : Infinity;
  }

  #check(chunk: Uint8Array): void {
    if (this.#received + chunk.length > this.#expected) throw new Error('more came than was written');
    for (let i = 0; i < chunk.length; i++)
      if (chunk[i] !== byteOf(this.#peerKey, this.#received + i))
        throw new Error(`byte ${this.#received + i} differs`);
    this.#received += chunk.length;
  }
}

function byteOf(key: number, index: number): number {
  return (index * 31 + (index >> 8) * 7 + key) & 0xff;
}

function patternOf(key: number, from: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = byteOf(key, from + i);
  return bytes;
}
