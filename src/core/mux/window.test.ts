import { expect, test } from 'vitest';
import { INITIAL_STREAM_CREDIT, MAX_STREAM_WINDOW, WINDOW_GROWTH_BYTES, WINDOW_REST_MS } from './limits.ts';
import { GrowthBudget, ReceiveWindow } from './window.ts';

/** A sender that uses all the credit it has in each round trip of `rttMs`; answers the size of the window after each. */
function rounds(window: ReceiveWindow, count: number, rttMs: number, startMs = 0): number[] {
  let credit = window.size;
  return Array.from({ length: count }, (_, round) => {
    const bytes = credit;
    expect(window.received(bytes)).toBe(true);
    credit = window.read(bytes, startMs + (round + 1) * rttMs, rttMs);
    return window.size;
  });
}

test('a window that is used up in each round trip doubles, up to its largest size', () => {
  const sizes = rounds(new ReceiveWindow(new GrowthBudget(), 0), 8, 100);
  expect(sizes.slice(0, 3)).toEqual([2, 4, 8].map((times) => times * INITIAL_STREAM_CREDIT));
  expect(sizes.at(-1)).toBe(MAX_STREAM_WINDOW);
});

test('a sender that is slower than its window lets it be', () => {
  const window = new ReceiveWindow(new GrowthBudget(), 0);
  for (let round = 1; round < 100; round++) {
    expect(window.received(50_000)).toBe(true);
    window.read(50_000, round * 100, 100);
  }
  expect(window.size).toBe(INITIAL_STREAM_CREDIT);
});

test('more than the credit is noticed, to the byte', () => {
  const window = new ReceiveWindow(new GrowthBudget(), 0);
  expect(window.received(INITIAL_STREAM_CREDIT)).toBe(true);
  expect(window.received(1)).toBe(false);
  expect(window.read(INITIAL_STREAM_CREDIT / 8, 1, 10)).toBe(0);
  expect(window.read(INITIAL_STREAM_CREDIT / 8, 1, 10)).toBe(INITIAL_STREAM_CREDIT / 4);
});

test('all windows together grow by what there is, and something is left for the next; what is over is given back', () => {
  const budget = new GrowthBudget();
  const windows = Array.from({ length: 6 }, () => new ReceiveWindow(budget, 0));
  const largest = windows.map((window) => rounds(window, 12, 100).at(-1) ?? 0);
  expect(largest).toEqual(largest.toSorted((a, b) => b - a));
  expect(largest.at(-1)).toBeGreaterThan(INITIAL_STREAM_CREDIT);
  expect(largest.reduce((sum, size) => sum + size - INITIAL_STREAM_CREDIT, 0)).toBe(WINDOW_GROWTH_BYTES - budget.left);
  for (const window of windows) window.release();
  expect(budget.left).toBe(WINDOW_GROWTH_BYTES);
});

test('a window that rested begins small again', () => {
  const budget = new GrowthBudget();
  const window = new ReceiveWindow(budget, 0);
  rounds(window, 4, 100);
  expect(window.received(1)).toBe(true);
  window.read(1, 400 + WINDOW_REST_MS, 100);
  expect(window.size).toBe(INITIAL_STREAM_CREDIT);
  expect(budget.left).toBe(WINDOW_GROWTH_BYTES);
});
