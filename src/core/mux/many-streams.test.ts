import { expect, test } from 'vitest';
import { muxPair, StreamLog, WEB } from './fixtures.ts';
import { INITIAL_STREAM_CREDIT, LINK_CREDIT, MUX_QUEUE_HIGH, STREAM_QUEUE_HIGH } from './limits.ts';

const STREAMS = 1_000;
/** What the link carries in one step, in frames. */
const FRAMES_A_STEP = 64;
const STEPS = 400;

/** Bytes that each stream delivered in STEPS steps of a link that is always full; the first is read only if `allRead`. */
function run(allRead: boolean) {
  const pair = muxPair({ auto: false, link: { highWater: 256 * 1024, lowWater: 64 * 1024 } });
  const writers = Array.from({ length: STREAMS }, () => pair.near.open(WEB));
  const chunk = new Uint8Array(32 * 1024);
  const received = new Map<number, number>();
  for (let step = 0; step < STEPS; step++) {
    for (const writer of writers) if (writer.unsentBytes < chunk.length) writer.write(chunk);
    pair.nearLink.flush(FRAMES_A_STEP);
    pair.farLink.flush();
    pair.clock.advance(1);
    for (const stream of pair.offered.splice(0))
      if (allRead || stream.id !== 1) stream.setHandlers({ onReadable: () => count(stream), onClose: () => {} });
  }
  function count(stream: (typeof pair.offered)[number]): void {
    for (let bytes = stream.read(); bytes; bytes = stream.read()) received.set(stream.id, (received.get(stream.id) ?? 0) + bytes.length);
  }
  const others = [...received].filter(([id]) => id !== 1).map(([, bytes]) => bytes);
  return { pair, others, total: others.reduce((sum, bytes) => sum + bytes, 0) };
}

test('one of 1,000 streams is never read: the others keep their rate, evenly, and memory has its bound', () => {
  const before = run(true);
  const { pair, others, total } = run(false);
  expect(others).toHaveLength(STREAMS - 1);
  expect(total).toBeGreaterThan(0.99 * before.total);
  // In turns: nobody is more than a few turns ahead of anybody.
  expect(Math.min(...others)).toBeGreaterThan(0.9 * Math.max(...others) - 64 * 1024);
  const { near, far } = pair;
  expect(far.stats.unreadPeakBytes).toBeLessThanOrEqual(INITIAL_STREAM_CREDIT);
  expect(near.stats.unsentPeakBytes).toBeLessThanOrEqual(STREAMS * 64 * 1024);
});

test('if nobody reads any of them, memory has its bound all the same, at both ends', () => {
  const pair = muxPair();
  const chunk = new Uint8Array(64 * 1024);
  for (let n = 0; n < STREAMS; n++) {
    const stream = pair.near.open(WEB);
    for (let i = 0; i < 100 && stream.write(chunk); i++);
  }
  expect(pair.far.stats.unreadPeakBytes).toBeLessThanOrEqual(LINK_CREDIT);
  // Each stream holds what one write was, and all together what is allowed; none more than its own bound.
  expect(pair.near.stats.unsentPeakBytes).toBeLessThanOrEqual(MUX_QUEUE_HIGH + STREAMS * (INITIAL_STREAM_CREDIT + STREAM_QUEUE_HIGH));
  const heavy = [...pair.near.streams].filter((stream) => stream.unsentBytes > STREAM_QUEUE_HIGH);
  expect(heavy).toEqual([]);
  pair.near.close();
});

test('1,000 streams come and go', () => {
  const { near, far, offered } = muxPair();
  for (let round = 0; round < 3; round++) {
    const logs = Array.from({ length: STREAMS / 2 }, () => new StreamLog(near.open(WEB)));
    for (const { stream } of logs) stream.end();
    for (const stream of offered.splice(0)) {
      new StreamLog(stream);
      stream.end();
    }
    expect(logs.every(({ error }) => error === null)).toBe(true);
  }
  expect([near.stats.streams, far.stats.streams]).toEqual([0, 0]);
});
