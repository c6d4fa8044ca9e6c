import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ClipboardSource, watchClipboard } from './clipboard-watch.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));
afterEach(() => void vi.useRealTimers());

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

async function setUp(reports: boolean) {
  let text = 'before';
  let reads = 0;
  let stopped = 0;
  let change = (): void => {};
  let end = (): void => {};
  const source: ClipboardSource = {
    readText: () => {
      reads++;
      return text;
    },
    reports: async (onChange, onEnd) => {
      if (!reports) throw new Error('nothing reports');
      [change, end] = [onChange, onEnd];
      return () => void stopped++;
    },
  };
  const told: string[] = [];
  const stop = watchClipboard(source, (each) => told.push(each));
  await settle();
  return {
    told,
    stop,
    reads: () => reads,
    stopped: () => stopped,
    copy: async (next: string) => {
      text = next;
      change();
      await settle();
    },
    end: () => end(),
    pass: async (ms: number) => {
      vi.advanceTimersByTime(ms);
      await settle();
    },
  };
}

describe('watchClipboard', () => {
  it('reads only what is reported', async () => {
    const t = await setUp(true);
    await t.pass(60_000);
    expect(t.reads()).toBe(0);
    for (const text of ['one', 'one', 'two', '', 'x'.repeat(1024 * 1024 + 1)]) await t.copy(text);
    expect(t.told).toEqual(['one', 'two']);
    t.stop();
    await t.copy('three');
    expect([t.told.length, t.stopped()]).toEqual([2, 1]);
  });

  it('looks again and again where nothing reports, or nothing any more', async () => {
    for (const reports of [false, true]) {
      const t = await setUp(reports);
      if (reports) t.end();
      await t.pass(500);
      expect(t.told).toEqual([]);
      await t.copy('one');
      if (!reports) await t.pass(500);
      expect(t.told).toEqual(['one']);
      t.stop();
      const reads = t.reads();
      await t.pass(5_000);
      expect([t.reads(), vi.getTimerCount()]).toEqual([reads, 0]);
    }
  });
});
