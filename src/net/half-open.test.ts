import { once } from 'node:events';
import { expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { HALF_OPEN_PROBE_MS, watchHalfOpen } from './half-open.ts';
import { socketPair } from './test-pairs.ts';

test('a socket that was half closed and then reset is not kept for ever; one that waits for its answer is', async () => {
  const [near, far, listener] = await socketPair();
  const clock = new VirtualClock();
  far.allowHalfOpen = true;
  watchHalfOpen(far, clock);
  const gone = once(far, 'error');
  near.end('question');
  far.resume();
  await once(far, 'end');
  clock.advance(3 * HALF_OPEN_PROBE_MS);
  far.write('answer');
  expect(String((await once(near, 'data'))[0])).toBe('answer');
  near.resetAndDestroy();
  await once(near, 'close');
  clock.advance(HALF_OPEN_PROBE_MS);
  expect((await gone)[0]).toMatchObject({ code: expect.stringMatching(/EPIPE|ECONNRESET/) });
  await once(far, 'close');
  expect(clock.pending).toBe(0);
  listener.close();
});
