import { expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { rehearseStreams, TunnelRehearsal } from './rehearsal.ts';

test('streams are opened and answered through everything, and nothing is left of it', async () => {
  const before = process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
  await rehearseStreams(AbortSignal.timeout(30_000), 5);
  await expect.poll(() => process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length).toBeLessThanOrEqual(before);
});

test('it ends with its signal', async () => {
  const abort = new AbortController();
  const running = rehearseStreams(abort.signal, 1_000_000);
  abort.abort(new Error('enough'));
  await expect(running).rejects.toThrow();
});

test('it is done once, a moment after it was first asked for, and its failure hurts nobody', () => {
  const clock = new VirtualClock();
  let runs = 0;
  const rehearsal = new TunnelRehearsal({
    clock,
    run: () => {
      runs++;
      return Promise.reject(new Error('no loopback'));
    },
  });
  rehearsal.soon();
  rehearsal.soon();
  expect(runs).toBe(0);
  clock.advance(1_000);
  rehearsal.soon();
  clock.advance(1_000);
  expect(runs).toBe(1);
});

test('closed, it does not begin', () => {
  const clock = new VirtualClock();
  const rehearsal = new TunnelRehearsal({ clock, run: () => Promise.reject(new Error('it began')) });
  rehearsal.soon();
  rehearsal.close();
  rehearsal.soon();
  expect(clock.pending).toBe(0);
});
