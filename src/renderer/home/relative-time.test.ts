import { expect, test } from 'vitest';
import { bitrate } from '../session/units.ts';
import { relativeTime } from './relative-time.ts';

test('times in plain words', () => {
  expect(relativeTime('en', 0, 5000)).toBe('now');
  expect(relativeTime('en', 0, 7_200_000)).toBe('2 hours ago');
  expect(relativeTime('de', 0, 86_400_000)).toBe('gestern');
  // A clock that was set back.
  expect(relativeTime('en', 5000, 0)).toBe('now');
});

test('bit rates', () => {
  expect(bitrate('en', 2_413_000)).toBe('2.4 Mbit/s');
  expect(bitrate('de', 2_413_000)).toBe('2,4 Mbit/s');
  expect(bitrate('en', 800)).toBe('1 kbit/s');
  expect(bitrate('en', 0)).toBe('0 kbit/s');
});
