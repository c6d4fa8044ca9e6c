import { expect, test } from 'vitest';
import { release, RELEASE_BYTES } from './memory.ts';

test('frees a buffer with the last of its parts', () => {
  const whole = new Uint8Array(2 * RELEASE_BYTES);
  release(whole.subarray(0, RELEASE_BYTES));
  expect(whole.length).toBe(2 * RELEASE_BYTES);
  release(whole.subarray(RELEASE_BYTES));
  expect(whole.length).toBe(0);
  release(whole);
});

test('what comes from the pool of small buffers is never freed, wherever in a slab it lies', () => {
  expect(Buffer.poolSize >>> 1).toBeLessThanOrEqual(RELEASE_BYTES);
  const all = Array.from({ length: 10_000 }, (_, i) => Buffer.from(`${i}`.padStart(29, '.')));
  for (const one of all) release(one);
  expect(all.every((one, i) => String(one) === `${i}`.padStart(29, '.'))).toBe(true);
});
