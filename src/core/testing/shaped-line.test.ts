import { expect, test } from 'vitest';
import { seededRandom } from './seeds.ts';
import { type LineShape, ShapedLine } from './shaped-line.ts';

const line = (shape: LineShape): ShapedLine<number> => new ShapedLine(shape, seededRandom(1));

function arrivals(of: ShapedLine<number>): [number, number][] {
  const list: [number, number][] = [];
  for (let at = of.nextAt(); at < Infinity; at = of.nextAt()) list.push([at, of.pop(at) as number]);
  return list;
}

test('a bottleneck of 8 kbit/s serves 1000 bytes per second, behind it the delay', () => {
  const slow = line({ delayMs: 30, rateBps: 8000 });
  slow.push(0, 1, 500);
  slow.push(0, 2, 500);
  slow.push(2000, 3, 500);
  expect(arrivals(slow)).toEqual([
    [530, 1],
    [1030, 2],
    [2530, 3],
  ]);
  expect([slow.queueDelayMs(0.5), slow.queueDelayMs(1)]).toEqual([0, 500]);
});

test('a full queue drops, and has room again when something has left', () => {
  const short = line({ delayMs: 0, rateBps: 8000, queueBytes: 1000 });
  for (let i = 0; i < 4; i++) short.push(0, i, 500);
  short.push(500, 4, 500);
  expect(arrivals(short).map(([, item]) => item)).toEqual([0, 1, 4]);
  expect(short.counts).toEqual({ datagrams: 5, bytes: 2500, dropped: 2, lost: 0 });
});

test('loss, duplication and reordering come as often as asked', () => {
  const bad = line({ delayMs: 10, loss: 0.1, duplicate: 0.1, reorder: 0.2, reorderMs: 50 });
  for (let i = 0; i < 2000; i++) bad.push(i, i, 100);
  const seen = arrivals(bad);
  const overtaken = seen.filter(([, item], i) => item < (seen[i - 1]?.[1] ?? 0)).length;
  expect(bad.counts.lost).toBeGreaterThan(140);
  expect(bad.counts.lost).toBeLessThan(260);
  expect(seen.length - new Set(seen.map(([, item]) => item)).size).toBeGreaterThan(100);
  expect(overtaken).toBeGreaterThan(200);
  expect(seen.every(([at], i) => at >= (seen[i - 1]?.[0] ?? 0))).toBe(true);
});
