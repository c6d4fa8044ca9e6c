import { expect, test } from 'vitest';
import { RATE_SAMPLES } from '../../shared/tunnels-state.ts';
import { RateMeter } from './rate-meter.ts';

test('counters become bytes per second', () => {
  const meter = new RateMeter();
  meter.sample(1_000, 500, 0);
  expect(meter.history).toEqual({ inBps: [], outBps: [] });
  meter.sample(2_000, 1_500, 10);
  meter.sample(4_000, 2_500, 10);
  expect(meter.history).toEqual({ inBps: [1_000, 500], outBps: [10, 0] });
});

test('a counter that starts again does not count backwards', () => {
  const meter = new RateMeter();
  meter.sample(0, 9_000, 9_000);
  meter.sample(1_000, 100, 0);
  expect(meter.history).toEqual({ inBps: [100], outBps: [0] });
});

test('a minute is kept', () => {
  const meter = new RateMeter();
  for (let second = 0; second <= 200; second++) meter.sample(second * 1_000, second * second, 0);
  expect(meter.history.inBps).toHaveLength(RATE_SAMPLES);
  expect(meter.history.inBps.at(-1)).toBe(200 * 200 - 199 * 199);
});
