import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import type { ScreenCapture } from './screen-capture.ts';
import { ScreenSource } from './screen-source.ts';

/** A monitor that is captured when a test says so. */
class FakeMonitor {
  readonly open = new Set<VideoFrame>();
  captures = 0;
  running = 0;
  /** The next captures fail. */
  broken = false;
  #answer: ((picture: VideoFrame | null) => void) | null = null;

  readonly capture = async (): Promise<ScreenCapture> => {
    if (this.broken) throw new Error('not allowed');
    this.captures++;
    this.running++;
    let stopped = false;
    return {
      read: () => (stopped ? Promise.resolve(null) : new Promise((resolve) => (this.#answer = resolve))),
      stop: () => {
        if (stopped) return;
        stopped = true;
        this.running--;
        this.#answer?.(null);
      },
    };
  };

  /** The capture makes a picture of a screen that shows `content`. */
  async show(content: number): Promise<void> {
    const picture = {
      allocationSize: () => 4,
      copyTo: async (bytes: Uint8Array) => bytes.fill(content),
      close: () => void this.open.delete(picture),
    } as unknown as VideoFrame;
    this.open.add(picture);
    this.#answer?.(picture);
    await settle();
  }

  async end(): Promise<void> {
    this.#answer?.(null);
    await settle();
  }
}

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

async function setUp() {
  const clock = new VirtualClock();
  const monitor = new FakeMonitor();
  const source = new ScreenSource(monitor.capture, clock);
  const ends: string[] = [];
  let pictures = 0;
  source.add({ onPicture: () => void pictures++, onEnd: (message) => void ends.push(message) });
  await source.open();
  /** A picture each 20 ms; how many of them were new. */
  const show = async (...contents: number[]): Promise<number> => {
    const before = pictures;
    for (const content of contents) {
      clock.advance(20);
      await monitor.show(content);
    }
    return pictures - before;
  };
  return { clock, monitor, source, ends, show };
}

describe('ScreenSource', () => {
  it('takes every picture while nobody says when the screen changes', async () => {
    const { source, show, monitor } = await setUp();
    expect(await show(1, 1, 2)).toBe(3);
    expect([source.count, source.isCurrent]).toEqual([3, false]);
    expect([...monitor.open]).toEqual([source.picture]);
  });

  it('takes only new ones when it is told of changes, and then none until the next report', async () => {
    const { source, show } = await setUp();
    source.changed();
    expect(await show(1, 1, 1)).toBe(1);
    expect(source.isCurrent).toBe(true);
    const { mark } = source;
    expect(await show(2)).toBe(0);
    source.changed();
    expect(await show(2, 2)).toBe(1);
    expect(source.mark).not.toBe(mark);
  });

  it('goes on looking as long as the screen moves', async () => {
    const { source, show } = await setUp();
    source.changed();
    expect(await show(1, 2, 3, 4, 5)).toBe(5);
  });

  it('leaves out what comes close behind a new picture: it would be old when its turn came', async () => {
    const { source, clock, monitor, show } = await setUp();
    source.changed();
    await show(1);
    clock.advance(5);
    await monitor.show(2);
    expect(source.count).toBe(1);
    expect(await show(3)).toBe(1);
  });

  it('rests when nothing changes, keeps its picture, and begins again with the next change', async () => {
    const { source, clock, monitor, show, ends } = await setUp();
    source.changed();
    await show(1);
    clock.advance(3_000);
    await settle();
    expect([monitor.running, monitor.captures, clock.pending]).toEqual([0, 1, 0]);
    expect([...monitor.open]).toEqual([source.picture]);
    source.changed();
    source.changed();
    await settle();
    expect([monitor.running, monitor.captures]).toEqual([1, 2]);
    expect(await show(1, 2)).toBe(1);
    expect(ends).toEqual([]);
  });

  it('does not rest where changes are not reported any more', async () => {
    const { source, clock, monitor, show } = await setUp();
    source.changed();
    await show(1);
    source.ungate();
    clock.advance(10_000);
    expect(monitor.running).toBe(1);
    expect(await show(1, 1)).toBe(2);
  });

  it('tells when the monitor goes away, or cannot be captured again', async () => {
    const gone = await setUp();
    await gone.monitor.end();
    expect(gone.ends).toEqual(['the monitor went away']);
    const { source, clock, monitor, show, ends } = await setUp();
    source.changed();
    await show(1);
    clock.advance(3_000);
    monitor.broken = true;
    source.changed();
    await settle();
    expect(ends).toEqual(['Error: not allowed']);
    expect([monitor.open.size, clock.pending]).toEqual([0, 0]);
  });

  it('leaves nothing behind when it is closed, also while the capture opens', async () => {
    const { source, clock, monitor, show, ends } = await setUp();
    source.changed();
    await show(1);
    source.close();
    await settle();
    expect([monitor.running, monitor.open.size, clock.pending, ends]).toEqual([0, 0, 0, []]);
    const opening = new FakeMonitor();
    const late = new ScreenSource(opening.capture, clock);
    const opened = late.open();
    late.close();
    await opened;
    expect([opening.captures, opening.running]).toEqual([1, 0]);
  });
});
