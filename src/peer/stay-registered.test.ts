import { expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import type { LinkState } from '../core/native/contract.ts';
import { stayRegistered } from './stay-registered.ts';

test('the server is told of this computer while a session looks for a path: at once, soon again, then more rarely', () => {
  const clock = new VirtualClock();
  const told: number[] = [];
  let set: (state: LinkState) => void = () => {};
  stayRegistered({ onStateChange: (listener) => ((set = listener), () => {}) }, clock, () => told.push(clock.now()));
  clock.advance(60_000);
  expect(told).toEqual([]);
  set('searching');
  clock.advance(2_000);
  expect(told.map((at) => at - 60_000)).toEqual([0, 500, 1_000, 1_500]);
  clock.advance(100_000);
  expect(told.length).toBeLessThan(30);
  set('live');
  const before = told.length;
  clock.advance(60_000);
  expect(told).toHaveLength(before);
  set('searching');
  set('closed');
  expect(clock.pending).toBe(0);
});
