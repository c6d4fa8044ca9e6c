import { expect, test } from 'vitest';
import { forEachSeed } from '../testing/seeds.ts';
import { KCP_MAX_WINDOW, KCP_WINDOW } from './constants.ts';
import { ReceiveWindow } from './receive-window.ts';

const of = (sn: number): Uint8Array => Uint8Array.of(sn & 0xff, (sn >> 8) & 0xff);
const push = (window: ReceiveWindow, sn: number, nowMs = 0): void => window.push(nowMs, sn, sn, of(sn), 0, 2);

test('segments in any order, twice, too early or too late come out once and in order; 8 seeds beyond all slots', () =>
  forEachSeed(8, (random) => {
    const window = new ReceiveWindow(random.chance(0.5));
    let read = 0;
    for (let turn = 0; read < 2 * KCP_MAX_WINDOW + 1000; turn++) {
      // Around what is missing, sometimes far behind or beyond what the window takes.
      push(
        window,
        random.chance(0.4) ? window.next : Math.max(0, window.next + random.between(-20, 20)),
        turn,
      );
      if (random.chance(0.01)) push(window, window.next + random.below(3 * KCP_MAX_WINDOW), turn);
      if (random.chance(0.01)) push(window, random.below(window.next + 1), turn);
      if (random.chance(0.3))
        for (let data = window.read(); data !== undefined; data = window.read())
          if (data[0] !== (read & 0xff) || data[1] !== (read++ >> 8) % 256)
            throw new Error(`segment ${read} differs`);
      while (window.hasAcks) window.shiftAck(turn);
    }
  }));

test('a peer whose data nobody reads fills one window, and is told when it is open again', () => {
  const window = new ReceiveWindow(true);
  for (let sn = 0; sn < 3 * KCP_WINDOW; sn++) push(window, sn);
  expect([window.next, window.free]).toEqual([KCP_WINDOW, 0]);
  expect(window.takeReopened()).toBe(false);
  while (window.read());
  // The second window was kept behind the first; the third was not.
  expect(window.next).toBe(2 * KCP_WINDOW);
  expect([window.takeReopened(), window.takeReopened()]).toEqual([true, false]);
});

test('the window grows with what was read, for an adaptive receiver alone', () => {
  const [stock, adaptive] = [new ReceiveWindow(false), new ReceiveWindow(true)];
  for (const window of [stock, adaptive])
    for (let sn = 0; sn < 2 * KCP_MAX_WINDOW; sn++) {
      push(window, sn);
      window.read();
    }
  expect([stock.free, adaptive.free]).toEqual([KCP_WINDOW, KCP_MAX_WINDOW]);
});

test('acks: at once when little comes, in batches when much does', () => {
  const window = new ReceiveWindow(true);
  const acked = (): number => {
    let count = 0;
    for (; window.hasAcks; count++) window.shiftAck(now);
    return count;
  };
  let now = 0;
  let sn = 0;
  for (; now < 100; now += 5) {
    push(window, sn++, now);
    expect(window.acksDue(now, false)).toBe(true);
    acked();
    window.read();
  }
  // 200 segments per interval: a packet of acks for every 32.
  const batches: number[] = [];
  for (; now < 200; now += 0.05) {
    push(window, sn++, now);
    if (window.acksDue(now, false)) batches.push(acked());
    window.read();
  }
  expect(batches.slice(-50)).toEqual(Array(50).fill(32));
});

test('an ack behind a hole is said at once and then once more', () => {
  const window = new ReceiveWindow(true);
  push(window, 0, 0);
  window.shiftAck(0);
  push(window, 2, 1);
  expect(window.acksDue(1, false)).toBe(true);
  expect(window.repeatable).toBe(0);
  window.shiftAck(1);
  expect(window.repeatable).toBe(1);
  expect(window.takeRepeated()).toEqual([2, 2]);
  expect(window.repeatable).toBe(0);
});
