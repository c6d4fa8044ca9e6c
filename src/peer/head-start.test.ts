import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { HeadStart } from './head-start.ts';

function start(): { clock: VirtualClock; headStart: HeadStart; isOver: () => Promise<boolean> } {
  const clock = new VirtualClock();
  const headStart = new HeadStart(clock);
  let over = false;
  void headStart.over.then(() => (over = true));
  return {
    clock,
    headStart,
    isOver: async () => {
      await Promise.resolve();
      return over;
    },
  };
}

describe('HeadStart', () => {
  it('lasts while one thing follows the other at once', async () => {
    const { clock, headStart, isOver } = start();
    clock.advance(4);
    headStart.requested();
    clock.advance(4);
    headStart.answered();
    clock.advance(14);
    expect(await isOver()).toBe(false);
    clock.advance(1);
    expect(await isOver()).toBe(true);
  });

  it('ends where a step takes longer, whatever comes later', async () => {
    const { clock, headStart, isOver } = start();
    headStart.requested();
    clock.advance(12);
    expect(await isOver()).toBe(true);
    headStart.answered();
    expect(clock.pending).toBe(0);
  });

  it('ends with the first path and leaves no timer', async () => {
    const { clock, headStart, isOver } = start();
    headStart.requested();
    headStart.end();
    expect(await isOver()).toBe(true);
    expect(clock.pending).toBe(0);
  });
});
