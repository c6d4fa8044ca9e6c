/** What bulk data does to a path, and a path to bulk data: rate, own queue, needless repetitions. */
import { expect, test } from 'vitest';
import { seededRandom } from '../testing/seeds.ts';
import type { LineShape } from '../testing/shaped-line.ts';
import { DATAGRAM, KCP_MSS } from './constants.ts';
import { KcpEndpoint } from './endpoint.ts';
import { DATAGRAM_OVERHEAD, join, type SimulatedEnd } from './fixtures.ts';

/** Largest share of a line's bits that can be data. */
const DATA_SHARE = KCP_MSS / (DATAGRAM + DATAGRAM_OVERHEAD);
const MBPS = 1_000_000;

interface Outcome {
  /** Of what the line could have carried as data. */
  readonly share: number;
  readonly queueP95Ms: number;
  readonly queueMaxMs: number;
  /** Segments sent again for each that was lost. */
  readonly repeatedPerLost: number;
}

/** A sender with always more to send; what is told is of the time after `settleMs`. */
class Bulk {
  readonly sender: SimulatedEnd<KcpEndpoint>;
  readonly receiver: SimulatedEnd<KcpEndpoint>;
  now = 0;
  received = 0;
  /** Called at each step. */
  beside: (nowMs: number) => void = () => {};
  readonly #chunk = new Uint8Array(65_536);

  constructor(shape: LineShape, seed = 1) {
    const [a, b] = [
      new KcpEndpoint({ role: 'connector', nowMs: 0, conv: 1 }),
      new KcpEndpoint({ role: 'acceptor', nowMs: 0 }),
    ];
    [this.sender, this.receiver] = join(a, b, { there: shape, back: shape }, seededRandom(seed));
  }

  run(forMs: number): void {
    const until = this.now + forMs;
    while (this.now < until) {
      const ends = [this.sender, this.receiver];
      this.beside(this.now);
      for (const end of ends) {
        const provoked = end.receive(this.now);
        if (end === this.sender)
          while (end.driven.backlogBytes < 200_000 && end.driven.write(this.#chunk) > 0);
        for (let data = end.driven.read(); data !== undefined; data = end.driven.read())
          this.received += data.length;
        end.transmit(this.now, provoked);
      }
      this.now = Math.max(this.now + 0.01, Math.min(...ends.map((end) => end.nextAt(this.now))));
    }
  }

  measure(settleMs: number, forMs: number): Outcome {
    this.run(settleMs);
    const { out } = this.sender;
    const [received, repeated] = [this.received, this.sender.driven.retransmits];
    out.resetCounts();
    this.run(forMs);
    const rateBps = out.shape.rateBps ?? Infinity;
    return {
      share: ((this.received - received) * 8000) / forMs / (rateBps * DATA_SHARE),
      queueP95Ms: out.queueDelayMs(0.95),
      queueMaxMs: out.queueDelayMs(1),
      repeatedPerLost:
        (this.sender.driven.retransmits - repeated) / Math.max(1, out.counts.lost + out.counts.dropped),
    };
  }
}

const slow = { rateBps: 1 * MBPS, queueBytes: 64_000 };
const home = { rateBps: 20 * MBPS, queueBytes: 250_000 };
const fast = { rateBps: 100 * MBPS, queueBytes: 500_000 };

test.each([
  ['1 Mbit/s, 20 ms', { ...slow, delayMs: 10 }],
  ['1 Mbit/s, 100 ms', { ...slow, delayMs: 50 }],
  ['20 Mbit/s, 20 ms', { ...home, delayMs: 10 }],
  ['20 Mbit/s, 100 ms', { ...home, delayMs: 50 }],
  ['100 Mbit/s, 100 ms', { ...fast, delayMs: 50 }],
])('%s: the line is full, the queue is not', (_, shape) => {
  const { share, queueP95Ms, queueMaxMs, repeatedPerLost } = new Bulk(shape).measure(3_000, 10_000);
  expect(share).toBeGreaterThan(0.97);
  expect(queueP95Ms).toBeLessThanOrEqual(50);
  expect(queueMaxMs).toBeLessThan(75);
  expect(repeatedPerLost).toBe(0);
});

test('the first seconds on a slow line fill it without a long queue', () => {
  const { queueMaxMs, share } = new Bulk({ ...slow, delayMs: 20 }).measure(0, 4_000);
  expect(queueMaxMs).toBeLessThan(75);
  expect(share).toBeGreaterThan(0.9);
});

test.each([
  ['1 %', 0.01, 0.93],
  ['5 %', 0.05, 0.85],
])(
  '%s of random loss costs little more than what is lost, and is not answered with needless repetitions',
  (_, loss, least) => {
    for (let seed = 1; seed <= 5; seed++) {
      const { share, queueP95Ms, repeatedPerLost } = new Bulk({ ...home, delayMs: 50, loss }, seed).measure(
        3_000,
        8_000,
      );
      expect(share).toBeGreaterThan(least);
      expect(queueP95Ms).toBeLessThanOrEqual(50);
      expect(repeatedPerLost).toBeLessThan(1.5);
    }
  },
);

test('a path that reorders is learned: most of what comes late is not sent twice', () => {
  const shape = { ...home, delayMs: 25, reorder: 0.05, reorderMs: 10 };
  const bulk = new Bulk(shape);
  bulk.run(4_000);
  const [sent, repeated] = [bulk.sender.out.counts.datagrams, bulk.sender.driven.retransmits];
  bulk.run(6_000);
  const share = (bulk.sender.driven.retransmits - repeated) / (bulk.sender.out.counts.datagrams - sent);
  expect(share).toBeLessThan(0.02);
});

test('a queue of ten datagrams is enough for most of the line', () => {
  const { share } = new Bulk({ rateBps: 20 * MBPS, queueBytes: 12_600, delayMs: 20 }).measure(3_000, 8_000);
  expect(share).toBeGreaterThan(0.8);
});

test.each([10, 20, 40])('a line that becomes ten times slower or faster is followed within seconds; %d ms one way', (delayMs) => {
  const bulk = new Bulk({ ...home, delayMs });
  bulk.run(4_000);
  const slower = { ...home, rateBps: 2 * MBPS };
  bulk.sender.out.shape = { ...slower, delayMs };
  bulk.run(4_000);
  const after = bulk.measure(0, 6_000);
  expect(after.share).toBeGreaterThan(0.9);
  expect(after.queueP95Ms).toBeLessThan(75);
  bulk.sender.out.shape = { ...home, delayMs };
  expect(bulk.measure(6_000, 6_000).share).toBeGreaterThan(0.9);
});

/** Somebody else's TCP on the same line, who fills the queue until it overflows: one more per round trip, less by 3/10 after a loss. */
function tcpBeside({ out }: SimulatedEnd<KcpEndpoint>, rttMs: number): (nowMs: number) => void {
  const onTheWay: { readonly at: number; readonly lost: boolean }[] = [];
  let [window, deafUntil] = [10, 0];
  return (nowMs) => {
    while (onTheWay[0] && onTheWay[0].at <= nowMs) {
      if (!onTheWay.shift()?.lost) window += 1 / window;
      else if (nowMs > deafUntil) {
        window = Math.max(2, window * 0.7);
        deafUntil = nowMs + rttMs + 100;
      }
    }
    while (onTheWay.length < window) {
      const { dropped } = out.counts;
      // Empty datagrams mean nothing to the receiver.
      out.push(nowMs, new Uint8Array(0), 1_514);
      const queueMs = (out.queuedBytes * 8000) / (out.shape.rateBps ?? Infinity);
      onTheWay.push({ at: nowMs + queueMs + rttMs, lost: out.counts.dropped > dropped });
    }
  };
}

test.each([10, 20, 50])('beside a TCP that keeps the queue full, a fair part of the line remains; %d ms one way', (delayMs) => {
  const bulk = new Bulk({ ...home, delayMs });
  bulk.run(2_000);
  bulk.beside = tcpBeside(bulk.sender, 2 * delayMs);
  const beside = bulk.measure(10_000, 20_000);
  expect(beside.share).toBeGreaterThan(0.25);
  expect(beside.share).toBeLessThan(0.75);
  // And when that is over, the queue is ours again, which is short.
  bulk.beside = () => {};
  const alone = bulk.measure(12_000, 5_000);
  expect(alone.share).toBeGreaterThan(0.9);
  expect(alone.queueP95Ms).toBeLessThanOrEqual(50);
});

test('10 % loss never leaves the window small for good, whatever the seed', () => {
  for (let seed = 1; seed <= 12; seed++) {
    const { share } = new Bulk({ ...home, delayMs: 20, loss: 0.1 }, seed).measure(1_000, 3_000);
    expect(share).toBeGreaterThan(0.6);
  }
});

test.each(['sender', 'receiver'] as const)(
  'after 30 s of sleep of the %s the path is in use again within a second',
  (who) => {
    const bulk = new Bulk({ ...home, delayMs: 20 });
    bulk.run(3_000);
    bulk[who].suspendedUntil = bulk.now + 30_000;
    // A sender that was awake asks every three seconds.
    bulk.run(30_000 + (who === 'receiver' ? 3_000 : 0) + 1_000);
    expect(bulk.measure(0, 3_000).share).toBeGreaterThan(0.9);
  },
);

test('a path that says nothing is asked with single segments, and used in full at once when it is back', () => {
  const shape = { ...home, delayMs: 20 };
  const bulk = new Bulk(shape);
  bulk.run(3_000);
  bulk.sender.out.shape = { ...shape, loss: 1 };
  bulk.run(1_000);
  const sent = bulk.sender.out.counts.datagrams;
  bulk.run(20_000);
  expect(bulk.sender.out.counts.datagrams - sent).toBeLessThan(40);
  bulk.sender.out.shape = shape;
  // The wait between two questions, at most.
  bulk.run(3_100);
  expect(bulk.measure(0, 2_000).share).toBeGreaterThan(0.9);
});
