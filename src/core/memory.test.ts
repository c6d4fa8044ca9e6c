import { expect, test } from 'vitest';
import { release } from './memory.ts';

test('frees a buffer with the last of its parts, and nothing that is shared with others', () => {
  const whole = new Uint8Array(64 * 1024);
  release(whole.subarray(0, 32 * 1024));
  expect(whole.length).toBe(64 * 1024);
  release(whole.subarray(32 * 1024));
  expect(whole.length).toBe(0);
  release(whole);
  const pooled = Buffer.from('a small one of many in a slab');
  release(pooled);
  expect(String(pooled)).toBe('a small one of many in a slab');
});
