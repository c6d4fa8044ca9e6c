import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { Primer } from './primer.ts';
import type { ScreenListener } from './screen-source.ts';

function setUp(encoderWorks = true) {
  const clock = new VirtualClock();
  const listeners = new Set<ScreenListener>();
  const primed: string[] = [];
  const source = {
    picture: null as VideoFrame | null,
    mark: '',
    add: (listener: ScreenListener) => void listeners.add(listener),
    remove: (listener: ScreenListener) => void listeners.delete(listener),
  };
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const show = async (mark: string) => {
    Object.assign(source, { picture: {}, mark });
    for (const listener of listeners) listener.onPicture();
    await settle();
  };
  const encoder = { prime: (_picture: VideoFrame, mark: string) => void primed.push(mark) };
  const start = () => new Primer(source, Promise.resolve(encoderWorks ? encoder : null), clock);
  return { clock, listeners, primed, settle, show, start };
}

describe('Primer', () => {
  it('encodes what is on the screen when it begins', async () => {
    const t = setUp();
    await t.show('1');
    t.start();
    await t.settle();
    expect(t.primed).toEqual(['1']);
  });

  it('encodes a screen that moves now and then only, and its newest picture', async () => {
    const t = setUp();
    t.start();
    for (const mark of ['1', '2', '3']) {
      await t.show(mark);
      t.clock.advance(10);
    }
    expect(t.primed).toEqual(['1']);
    t.clock.advance(500);
    await t.settle();
    expect(t.primed).toEqual(['1', '3']);
  });

  it('leaves nothing behind when it is closed or the capture ends', async () => {
    for (const end of ['close', 'capture'] as const) {
      const t = setUp();
      const primer = t.start();
      await t.show('1');
      await t.show('2');
      if (end === 'close') primer.close();
      else for (const listener of t.listeners) listener.onEnd('gone');
      t.clock.advance(1_000);
      await t.settle();
      expect([t.primed, t.listeners.size, t.clock.pending]).toEqual([['1'], 0, 0]);
    }
  });

  it('does without where there is no encoder', async () => {
    const t = setUp(false);
    t.start();
    await t.show('1');
    expect(t.primed).toEqual([]);
  });
});
