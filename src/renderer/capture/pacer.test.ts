import { describe, expect, test } from 'vitest';
import { MIN_FPS, Pacer } from './pacer.ts';

/** Encodes whenever allowed for `seconds`; the times of the pictures. */
function run(pacer: Pacer, seconds: number, bytes: number): number[] {
  const times: number[] = [];
  for (let now = 0; now < seconds * 1000; now++) {
    if (pacer.waitMs(now) > 0) continue;
    pacer.encoding(now);
    pacer.encoded(now, bytes);
    times.push(now);
  }
  return times;
}

describe('Pacer', () => {
  test('the first picture never waits', () => {
    expect(new Pacer(30, 1e6).waitMs(12_345)).toBe(0);
  });

  test('holds the frame rate when pictures are small', () => {
    const times = run(new Pacer(30, 2e6), 10, 1000);
    expect(times.length).toBeGreaterThanOrEqual(300);
    expect(times.length).toBeLessThanOrEqual(345);
  });

  test('slows down when pictures cost more than the bit rate allows', () => {
    // 10 kB at 30 fps would be 2.4 Mbit/s; allowed is 1.6, that is 20 fps.
    const times = run(new Pacer(30, 1.6e6), 10, 10_000);
    expect(times.length).toBeGreaterThan(190);
    expect(times.length).toBeLessThan(225);
  });

  test('never falls below the least frame rate', () => {
    const times = run(new Pacer(30, 1e6), 10, 1_000_000);
    expect(times.length).toBeGreaterThanOrEqual(10 * MIN_FPS - 1);
  });

  test('holds the frame rate when captures do not come in step with it', () => {
    const pacer = new Pacer(30, 2e6);
    let encoded = 0;
    for (let now = 0; now < 10_000; now += 20) {
      if (pacer.waitMs(now) > 0) continue;
      pacer.encoding(now);
      pacer.encoded(now, 1000);
      encoded++;
    }
    expect(encoded).toBeGreaterThanOrEqual(290);
    expect(encoded).toBeLessThanOrEqual(302);
  });
});
