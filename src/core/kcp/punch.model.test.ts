/** Two punching sides behind address-filtering NATs: they meet if the path lets anything through, and stop if it does not. */
import { expect, test } from 'vitest';
import { forEachSeed, type SeededRandom } from '../testing/seeds.ts';
import type { LineShape } from '../testing/shaped-line.ts';
import { KcpEndpoint } from './endpoint.ts';
import { type Driven, join, type SimulatedEnd } from './fixtures.ts';
import { PUNCH_TIMEOUT_MS, Punch } from './punch.ts';

/** A few opening packets, their repetitions and the punches of 20 s. */
const MAX_DATAGRAMS = 300;

/** One side as the socket layer drives it (net/punch-udp.ts), behind a NAT that lets in what it has sent to before. */
class Side implements Driven {
  readonly punch: Punch;
  readonly startsAt: number;
  readonly #role: 'connector' | 'acceptor';
  readonly #conv: number;
  endpoint: KcpEndpoint | undefined;
  #open = false;

  constructor(role: 'connector' | 'acceptor', startsAt: number, conv: number) {
    this.#role = role;
    this.startsAt = startsAt;
    this.#conv = conv;
    this.punch = new Punch({ role, nowMs: startsAt });
  }

  get established(): boolean {
    return this.endpoint?.state === 'established';
  }

  get over(): boolean {
    return this.established || this.punch.state === 'timed-out' || this.endpoint?.state === 'closed';
  }

  handle(nowMs: number, datagram: Uint8Array): void {
    if (!this.#open) return;
    this.punch.handle(datagram);
    if (this.punch.state === 'through') this.#begin(nowMs);
    if (datagram.length > 0) this.endpoint?.handle(nowMs, datagram);
  }

  pollTransmit(nowMs: number, out: Uint8Array, at: number): number {
    if (nowMs < this.startsAt) return 0;
    if (this.#role === 'connector' && this.endpoint === undefined) this.#begin(nowMs);
    const length = this.endpoint?.pollTransmit(nowMs, out, at) ?? 0;
    if (length > 0) this.#open = true;
    return length;
  }

  /** An empty datagram is due. */
  pollPunch(nowMs: number): boolean {
    const due = nowMs >= this.startsAt && !this.established && this.punch.pollTransmit(nowMs);
    if (due) this.#open = true;
    return due;
  }

  pollTimeout(nowMs: number): number {
    if (nowMs < this.startsAt) return this.startsAt;
    const punching = this.established ? Infinity : this.punch.pollTimeout();
    return Math.min(punching, this.endpoint?.pollTimeout(nowMs) ?? Infinity);
  }

  #begin(nowMs: number): void {
    this.endpoint ??= new KcpEndpoint({ role: this.#role, nowMs, conv: this.#conv });
  }
}

function drawShape(random: SeededRandom, dead: boolean): LineShape {
  return {
    delayMs: random.pick([0.1, 10, 50, 200]),
    loss: dead ? 1 : random.next() * 0.4,
    duplicate: random.next() * 0.2,
    reorder: random.next() * 0.3,
    reorderMs: random.pick([1, 20, 100]),
  };
}

function run(ends: readonly SimulatedEnd<Side>[], done: () => boolean, limitMs: number): number {
  const empty = new Uint8Array(0);
  let now = 0;
  while (!done()) {
    for (const end of ends) {
      const provoked = end.receive(now);
      if (end.driven.pollPunch(now)) {
        end.sent++;
        end.out.push(now, empty, 42);
      }
      end.transmit(now, provoked);
    }
    const next = Math.min(...ends.map((end) => end.nextAt(now)));
    if (next > limitMs) break;
    now = Math.max(now + 0.01, next);
  }
  return now;
}

test('both are through and agree on the conversation, or neither claims a connection: 3,000 paths', () =>
  forEachSeed(3_000, (random) => {
    const dead = random.chance(0.1) ? random.pick(['there', 'back', 'both'] as const) : undefined;
    const ends = join(
      new Side('connector', random.below(1_500), random.below(2 ** 32)),
      new Side('acceptor', random.below(1_500), 0),
      {
        there: drawShape(random, dead === 'there' || dead === 'both'),
        back: drawShape(random, dead === 'back' || dead === 'both'),
      },
      random,
    );
    const [a, b] = ends.map((end) => end.driven) as [Side, Side];
    const limitMs = 1_500 + PUNCH_TIMEOUT_MS;
    const now = run(ends, () => a.established && b.established, limitMs);
    for (const end of ends) expect(end.sent).toBeLessThan(MAX_DATAGRAMS);
    if (dead !== undefined) {
      expect(a.established).toBe(false);
      expect(b.established).toBe(false);
      return;
    }
    expect([a.established, b.established]).toEqual([true, true]);
    expect(a.endpoint?.conv).toBe(b.endpoint?.conv);
    // At 40 % loss in each direction an opening takes several tries; more than half of the patience would be a fault.
    expect(now).toBeLessThan(limitMs / 2);
  }));
