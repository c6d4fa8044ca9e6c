import { expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { Counters } from '../counters.ts';
import { OtherWorkers, reportNumbers, type TimedDecision, type WorkerNumbers } from './numbers.ts';
import type { ServerView } from './view.ts';

function viewOf(counters: Counters, connections: number): ServerView {
  return {
    counters,
    version: '0',
    startedAt: 0,
    census: async () => ({ udp: connections, tcp: 1, ws: 0, none: 2 }),
    peers: () => [],
    connections: () => connections,
    pendingRequests: () => 1,
    relay: () => ({ pairs: 0, waiting: 0, bytes: 0 }),
    relaySessions: () => [],
    relays: () => [],
    store: () => ({ kind: 'none', rows: 0, connected: true }),
    lobby: () => null,
    published: () => null,
    suppressedLines: () => 3,
  };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the first process has the numbers of all, and forgets what a process held that is gone', async () => {
  const clock = new VirtualClock();
  const [mine, theirs] = [new Counters(), new Counters()];
  const heard: TimedDecision[] = [];
  const others = new OtherWorkers(clock, mine, (decision) => heard.push(decision));
  const reports: WorkerNumbers[] = [];
  const stop = reportNumbers(viewOf(theirs, 5), clock, (numbers) => {
    reports.push(numbers);
    others.take(1, numbers);
  });
  const view = others.view(viewOf(mine, 2));
  mine.count('registered');
  theirs.count('registered', { ms: 4, id: '123456789' });
  theirs.count('not-a-message');
  clock.advance(1_000);
  await settled();
  expect(mine.of('registered')).toBe(2);
  expect(mine.of('not-a-message')).toBe(1);
  expect(heard).toEqual([{ reason: 'registered', ms: 4, id: '123456789' }]);
  expect(view.connections()).toBe(7);
  expect(await view.census()).toEqual({ udp: 7, tcp: 2, ws: 0, none: 4 });
  expect(view.suppressedLines()).toBe(6);
  clock.advance(1_000);
  await settled();
  // Nothing is told twice.
  expect(reports[1]).toMatchObject({ counts: {}, decisions: [] });
  expect(mine.of('registered')).toBe(2);
  stop();
  clock.advance(10_000);
  expect(view.connections()).toBe(2);
  expect(mine.of('registered')).toBe(2);
  expect(clock.pending).toBe(0);
});
