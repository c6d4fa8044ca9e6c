import { describe, expect, test } from 'vitest';
import { containedBox, fromRemote, toRemote } from './geometry.ts';

const display = { x: 1920, y: -200, width: 1280, height: 720, name: '' };

describe('containedBox', () => {
  test('leaves bars beside a picture that is narrower than its box', () => {
    expect(containedBox({ left: 10, top: 20, width: 1000, height: 360 }, display)).toEqual({
      left: 190,
      top: 20,
      width: 640,
      height: 360,
    });
  });

  test('leaves bars above and below a wide picture', () => {
    expect(containedBox({ left: 0, top: 0, width: 640, height: 500 }, display)).toEqual({
      left: 0,
      top: 70,
      width: 640,
      height: 360,
    });
  });

  test('an empty picture fills the box', () => {
    const box = { left: 1, top: 2, width: 3, height: 4 };
    expect(containedBox(box, { width: 0, height: 0 })).toBe(box);
  });
});

describe('toRemote', () => {
  const content = { left: 100, top: 50, width: 640, height: 360 };

  test.each([
    ['first pixel', { x: 100, y: 50 }, { x: 1920, y: -200 }],
    ['middle', { x: 420, y: 230 }, { x: 2560, y: 160 }],
    ['last pixel', { x: 739.9, y: 409.9 }, { x: 3199, y: 519 }],
    ['outside, right and below', { x: 5000, y: 5000 }, { x: 3199, y: 519 }],
    ['outside, left and above', { x: 0, y: 0 }, { x: 1920, y: -200 }],
  ])('%s', (_name, point, remote) => {
    expect(toRemote(point, content, display)).toEqual(remote);
  });

  test('every pixel of a display is reached at its own place in actual size', () => {
    const box = { left: 7, top: 3, width: 1280, height: 720 };
    for (const [x, y] of [
      [0, 0],
      [1, 719],
      [1279, 400],
    ] as const)
      expect(toRemote({ x: 7 + x + 0.5, y: 3 + y + 0.5 }, box, display)).toEqual({
        x: 1920 + x,
        y: -200 + y,
      });
  });

  test('a box or display without size gives the origin and no NaN', () => {
    expect(toRemote({ x: 5, y: 5 }, { left: 0, top: 0, width: 0, height: 0 }, display)).toEqual({
      x: 1920,
      y: -200,
    });
    expect(toRemote({ x: 5, y: 5 }, content, { ...display, width: 0, height: 0 })).toEqual({
      x: 1920,
      y: -200,
    });
  });

  test('there and back again hits the same pixel', () => {
    for (const point of [
      { x: 1920, y: -200 },
      { x: 2222, y: 77 },
      { x: 3199, y: 519 },
    ])
      expect(toRemote(fromRemote(point, content, display), content, display)).toEqual(point);
  });
});
