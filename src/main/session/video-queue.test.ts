import { describe, expect, test } from 'vitest';
import { MAX_IN_FLIGHT, VideoQueue } from './video-queue.ts';

interface Item {
  display: number;
  key: boolean;
  n: number;
  data: ArrayBuffer;
}

function setup() {
  const sent: number[] = [];
  const asked: number[] = [];
  const queue = new VideoQueue<Item>({
    send: (item) => sent.push(item.n),
    requestKeyFrame: (display) => asked.push(display),
  });
  let n = 0;
  const push = (key: boolean, display = 0, bytes = 100): number => {
    queue.push({ display, key, n: ++n, data: new ArrayBuffer(bytes) });
    return n;
  };
  return { queue, sent, asked, push };
}

describe('VideoQueue', () => {
  test('passes everything while the page keeps up', () => {
    const { queue, sent, asked, push } = setup();
    push(true);
    for (let i = 0; i < 100; i++) {
      push(false);
      queue.taken(1);
    }
    expect(sent).toHaveLength(101);
    expect(asked).toEqual([]);
  });

  test('drops deltas after a gap until the key frame, and asks for it once there is room', () => {
    const { queue, sent, asked, push } = setup();
    push(true);
    for (let i = 0; i < MAX_IN_FLIGHT + 5; i++) push(false);
    expect(sent).toHaveLength(MAX_IN_FLIGHT);
    expect(asked).toEqual([]);
    queue.taken(MAX_IN_FLIGHT);
    expect(asked).toEqual([0]);
    push(false);
    expect(sent).toHaveLength(MAX_IN_FLIGHT);
    const key = push(true);
    const after = push(false);
    expect(sent.slice(-2)).toEqual([key, after]);
    queue.taken(2);
    expect(asked).toEqual([0]);
  });

  test('a key frame that found no room is asked for again', () => {
    const { queue, asked, push } = setup();
    push(true, 0, 5 * 1024 * 1024);
    push(false);
    queue.taken(1);
    expect(asked).toEqual([0]);
    push(true, 1, 5 * 1024 * 1024);
    push(true, 0);
    queue.taken(1);
    expect(asked).toEqual([0, 0]);
  });

  test('one display in a gap does not stop another', () => {
    const { queue, sent, push } = setup();
    push(true, 0);
    push(true, 1);
    for (let i = 0; i < MAX_IN_FLIGHT; i++) push(false, 0);
    queue.taken(MAX_IN_FLIGHT);
    push(false, 0);
    const other = push(false, 1);
    expect(sent.at(-1)).toBe(other);
  });
});
