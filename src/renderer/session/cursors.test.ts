import { describe, expect, test } from 'vitest';
import { CursorCache, type CursorMessage } from './cursors.ts';

const shape = (id: number, more: Partial<CursorMessage> = {}): CursorMessage => ({
  type: 'cursor',
  id,
  hotX: 2,
  hotY: 3,
  width: 16,
  height: 16,
  rgba: new ArrayBuffer(16 * 16 * 4),
  ...more,
});

describe('CursorCache', () => {
  test('makes a CSS cursor and finds it again by id', () => {
    const cache = new CursorCache(() => 'data:x');
    expect(cache.add(shape(7))).toBe('url("data:x") 2 3, default');
    expect(cache.get(7)).toBe('url("data:x") 2 3, default');
    expect(cache.get(8)).toBeNull();
  });

  test('an invisible pointer is no pointer', () => {
    expect(new CursorCache(() => null).add(shape(1))).toBe('none');
  });

  test('the hot spot stays inside, also of a shape that is scaled down', () => {
    const cache = new CursorCache(() => 'data:x');
    expect(cache.add(shape(1, { hotX: -5, hotY: 99 }))).toBe('url("data:x") 0 15, default');
    const large = shape(2, {
      width: 256,
      height: 256,
      hotX: 128,
      hotY: 64,
      rgba: new ArrayBuffer(256 * 256 * 4),
    });
    expect(cache.add(large)).toBe('url("data:x") 64 32, default');
  });

  test.each([
    ['pixels missing', { rgba: new ArrayBuffer(4) }],
    ['no width', { width: 0, rgba: new ArrayBuffer(0) }],
    ['far too large', { width: 100_000, height: 100_000 }],
    ['not whole', { width: 1.5, height: 1.5, rgba: new ArrayBuffer(9) }],
  ])('refuses a shape with %s', (_name, wrong) => {
    expect(new CursorCache(() => 'data:x').add(shape(1, wrong))).toBeNull();
  });

  test('forgets the oldest beyond its limit', () => {
    const cache = new CursorCache(() => 'data:x');
    for (let id = 0; id < 300; id++) cache.add(shape(id));
    expect(cache.get(0)).toBeNull();
    expect(cache.get(299)).not.toBeNull();
  });
});
