import { describe, expect, test } from 'vitest';
import { WheelAccumulator } from './wheel.ts';

const notch = (n: number) => ({
  deltaX: 0,
  deltaY: -n * 100,
  deltaMode: 0,
  wheelDeltaX: 0,
  wheelDeltaY: n * 120,
});
const pixels = (deltaX: number, deltaY: number) => ({
  deltaX,
  deltaY,
  deltaMode: 0,
  wheelDeltaX: -deltaX * 3 + 0.1,
  wheelDeltaY: -deltaY * 3 + 0.1,
});

describe('WheelAccumulator', () => {
  test('one notch of a mouse is one step, up is positive', () => {
    const wheel = new WheelAccumulator();
    expect(wheel.add(notch(1), false)).toEqual({ dx: 0, dy: 1, fine: false });
    expect(wheel.add(notch(-2), false)).toEqual({ dx: 0, dy: -2, fine: false });
    expect(wheel.add(notch(1), true)).toEqual({ dx: 0, dy: 1, fine: false });
  });

  test('a trackpad collects pixels into notches where the host knows no finer', () => {
    const wheel = new WheelAccumulator();
    expect(wheel.add(pixels(0, 15), false)).toBeNull();
    expect(wheel.add(pixels(0, 15), false)).toBeNull();
    expect(wheel.add(pixels(0, 15), false)).toEqual({ dx: 0, dy: -1, fine: false });
    // 5 pixels are left over.
    expect(wheel.add(pixels(0, 34), false)).toBeNull();
    expect(wheel.add(pixels(0, 1), false)).toEqual({ dx: 0, dy: -1, fine: false });
  });

  test('a trackpad sends pixels where the host takes them, and keeps fractions', () => {
    const wheel = new WheelAccumulator();
    expect(wheel.add(pixels(-3.5, 7.25), true)).toEqual({ dx: 3, dy: -7, fine: true });
    expect(wheel.add(pixels(-0.5, 0), true)).toEqual({ dx: 1, dy: 0, fine: true });
  });

  test('turning round starts anew', () => {
    const wheel = new WheelAccumulator();
    expect(wheel.add(pixels(0, 39), false)).toBeNull();
    expect(wheel.add(pixels(0, -40), false)).toEqual({ dx: 0, dy: 1, fine: false });
  });

  test('lines and pages', () => {
    const wheel = new WheelAccumulator();
    const lines = { deltaX: 0, deltaY: 1, deltaMode: 1 };
    expect(wheel.add(lines, true)).toBeNull();
    expect(wheel.add(lines, true)).toBeNull();
    expect(wheel.add(lines, true)).toEqual({ dx: 0, dy: -1, fine: false });
    expect(wheel.add({ deltaX: 0, deltaY: -1, deltaMode: 2 }, false)).toEqual({ dx: 0, dy: 10, fine: false });
  });

  test('nonsense neither floods the host nor poisons the sum', () => {
    const wheel = new WheelAccumulator();
    expect(wheel.add(notch(100_000), false)).toEqual({ dx: 0, dy: 10, fine: false });
    expect(wheel.add(pixels(Number.NaN, Number.POSITIVE_INFINITY), true)).toBeNull();
    expect(wheel.add(pixels(0, 5), true)).toEqual({ dx: 0, dy: -5, fine: true });
    expect(wheel.add({ deltaX: 0, deltaY: 0, deltaMode: 0 }, true)).toBeNull();
  });
});
