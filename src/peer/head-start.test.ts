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
    clock.advance(7);
    expect(headStart.requested()).toBe(15);
    clock.advance(14);
    headStart.answered();
    clock.advance(11);
    expect(await isOver()).toBe(false);
    clock.advance(1);
    expect(await isOver()).toBe(true);
  });

  it('ends where a step takes longer, whatever comes later', async () => {
    const { clock, headStart, isOver } = start();
    headStart.requested();
    clock.advance(15);
    expect(await isOver()).toBe(true);
    headStart.answered();
    expect(clock.pending).toBe(0);
  });

  it('goes on over a direct path until the login is through', async () => {
    const { clock, headStart, isOver } = start();
    headStart.requested();
    headStart.direct();
    clock.advance(299);
    expect(await isOver()).toBe(false);
    clock.advance(1);
    expect(await isOver()).toBe(true);
  });

  it('ends with a path over the relay and leaves no timer', async () => {
    const { clock, headStart, isOver } = start();
    headStart.requested();
    headStart.end();
    expect(headStart.requested()).toBe(0);
    expect(await isOver()).toBe(true);
    expect(clock.pending).toBe(0);
  });
});
