import { expect, test } from 'vitest';
import { IN_FLIGHT_BYTES } from './multipath-limits.ts';
import { PathFlow } from './path-flow.ts';

/** What is on its way over a path of 100 bytes per ms and `rttMs` after `forMs`, with always more to send. */
function carry(flow: PathFlow, rttMs: number, forMs: number): number {
  const sent: { at: number; mark: ReturnType<PathFlow['sent']> }[] = [];
  for (let now = 0; now < forMs; now++) {
    while (sent[0] && now >= sent[0].at + rttMs) {
      const { mark } = sent.shift() as (typeof sent)[number];
      flow.acknowledged(1000, mark, now, true);
    }
    if (now % 10 === 0 && flow.inFlight < flow.capBytes(now)) sent.push({ at: now, mark: flow.sent(1000, now) });
  }
  return flow.inFlight;
}

test('a path may hold what it carries in two round trips and 50 ms, unless it bounds its queue itself', () => {
  const measured = new PathFlow(false);
  carry(measured, 40, 2_000);
  expect(measured.capBytes(2_000)).toBeGreaterThan(100 * 80);
  expect(measured.capBytes(2_000)).toBeLessThan(100 * 160);
  const bounded = new PathFlow(true);
  carry(bounded, 40, 2_000);
  expect(bounded.capBytes(2_000)).toBe(IN_FLIGHT_BYTES.max);
  // Pieces stay small on a slow path all the same.
  expect(bounded.fragmentBytes(2_000)).toBe(measured.fragmentBytes(2_000));
});

test('a path that has carried only small messages yet is still open for a first picture', () => {
  const flow = new PathFlow(false);
  for (let now = 0; now < 100; now += 10) {
    const mark = flow.sent(100, now);
    flow.ranDry();
    flow.acknowledged(100, mark, now + 6, true);
  }
  expect(flow.capBytes(100)).toBe(IN_FLIGHT_BYTES.initial);
  carry(flow, 40, 2_000);
  expect(flow.capBytes(2_000)).toBeLessThan(IN_FLIGHT_BYTES.initial);
});
