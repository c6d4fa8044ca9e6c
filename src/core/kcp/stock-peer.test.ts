/** Ours against a stock peer: it sees a legal KCP, and both directions arrive. */
import { expect, test } from 'vitest';
import { forEachSeed, type SeededRandom, seededRandom } from '../testing/seeds.ts';
import { type LineShape } from '../testing/shaped-line.ts';
import { StockKcp } from '../testing/stock-kcp.ts';
import { u32 } from './bytes.ts';
import {
  CMD_PUSH,
  CMD_WINS,
  ENDPOINT_HEADER,
  KCP_HEADER,
  KCP_MSS,
  KCP_WINDOW,
  MAX_DATAGRAM,
} from './constants.ts';
import { KcpEndpoint } from './endpoint.ts';
import { type Driven, join } from './fixtures.ts';

/** Looks at every datagram that ours sends with the eyes of §10.2 and §10.4. */
class Watched implements Driven {
  readonly endpoint: KcpEndpoint;
  #una = 0;
  #next = 0;

  constructor(endpoint: KcpEndpoint) {
    this.endpoint = endpoint;
  }

  handle(nowMs: number, datagram: Uint8Array): void {
    for (const { una } of segments(datagram)) this.#una = Math.max(this.#una, una);
    this.endpoint.handle(nowMs, datagram);
  }

  pollTransmit(nowMs: number, out: Uint8Array, at: number): number {
    const length = this.endpoint.pollTransmit(nowMs, out, at);
    for (const segment of segments(out.subarray(at, at + length))) {
      expect(segment.conv).toBe(this.endpoint.conv);
      expect(segment.frg).toBe(0);
      expect(segment.cmd).toBeGreaterThanOrEqual(CMD_PUSH);
      expect(segment.cmd).toBeLessThanOrEqual(CMD_WINS);
      if (segment.cmd !== CMD_PUSH) expect(segment.length).toBe(0);
      else {
        expect(segment.length).toBeGreaterThan(0);
        expect(segment.length).toBeLessThanOrEqual(KCP_MSS);
        // Never beyond the window that the receiver counts from what it misses, and without gaps.
        expect(segment.sn).toBeLessThanOrEqual(this.#next);
        expect(segment.sn).toBeLessThan(this.#una + KCP_WINDOW);
        this.#next = Math.max(this.#next, segment.sn + 1);
      }
    }
    return length;
  }

  pollTimeout(nowMs: number): number {
    return this.endpoint.pollTimeout(nowMs);
  }
}

function segments(
  datagram: Uint8Array,
): { conv: number; cmd: number; frg: number; sn: number; una: number; length: number }[] {
  if (datagram.length === 0) return [];
  expect(datagram.length).toBeLessThanOrEqual(MAX_DATAGRAM);
  const list = [];
  let at = ENDPOINT_HEADER;
  while (at < datagram.length) {
    const length = u32(datagram, at + 20);
    list.push({
      ...{ conv: u32(datagram, at), cmd: datagram[at + 4] ?? 0, frg: datagram[at + 5] ?? 0 },
      ...{ sn: u32(datagram, at + 12), una: u32(datagram, at + 16), length },
    });
    at += KCP_HEADER + length;
  }
  // Nothing is left over: the segments fill the packet.
  expect(at).toBe(Math.max(datagram.length, ENDPOINT_HEADER));
  return list;
}

/** Moves `total` bytes each way; the virtual time that it took. */
function exchange(random: SeededRandom, shape: LineShape, total: { ours: number; stock: number }): number {
  const conv = random.below(2 ** 32);
  const weConnect = random.chance(0.5);
  const ours = new Watched(new KcpEndpoint({ role: weConnect ? 'connector' : 'acceptor', nowMs: 0, conv }));
  const stock = new StockKcp(weConnect ? 'acceptor' : 'connector', conv);
  const ends = join(ours, stock, { there: shape, back: shape }, random);
  let [left, got, gotStock, started, now] = [total.ours, 0, 0, false, 0];
  while (got < total.stock || gotStock < total.ours) {
    for (const end of ends) {
      const provoked = end.receive(now);
      left -= ours.endpoint.write(new Uint8Array(Math.min(left, 100_000)));
      if (stock.established && !started) {
        started = true;
        stock.write(new Uint8Array(total.stock));
      }
      for (let data = ours.endpoint.read(); data !== undefined; data = ours.endpoint.read())
        got += data.length;
      for (let data = stock.read(); data !== undefined; data = stock.read()) gotStock += data.length;
      end.transmit(now, provoked);
    }
    now = Math.max(
      now + 0.01,
      Math.min(...ends.map((end) => end.nextAt(now)), left > 0 ? now + 5 : Infinity),
    );
    if (now > 120_000)
      throw new Error(`stuck at ${got} of ${total.stock} and ${gotStock} of ${total.ours} bytes`);
  }
  expect([got, gotStock]).toEqual([total.stock, total.ours]);
  return now;
}

test('both directions arrive over bad lines: 200 seeds', () =>
  forEachSeed(200, (random) => {
    // A stock peer sends its opening once, so that loss would only test whether it came through.
    const shape = {
      delayMs: random.pick([1, 20, 80]),
      reorder: random.next() * 0.2,
      reorderMs: 20,
      duplicate: random.next() * 0.1,
    };
    exchange(random, shape, { ours: random.below(60_000), stock: random.below(60_000) });
  }));

test('to a stock receiver, which acknowledges once per interval, a line is filled as to our own', () => {
  const rateBps = 20_000_000;
  const total = 10_000_000;
  const took = exchange(
    seededRandom(3),
    { delayMs: 20, rateBps, queueBytes: 250_000 },
    { ours: total, stock: 0 },
  );
  expect((total * 8000) / took / rateBps).toBeGreaterThan(0.85);
});
