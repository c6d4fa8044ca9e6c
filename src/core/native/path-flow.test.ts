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

const RATE = 25_000;
const MIB = 1024 * 1024;

/** A flow that knows its path: 25 MB/s, 50 ms, all of it used for two seconds. Returns what is on its way. */
function known(flow: PathFlow): { at: number; mark: ReturnType<PathFlow['sent']> }[] {
  const sent: { at: number; mark: ReturnType<PathFlow['sent']> }[] = [];
  for (let now = 0; now < 2_000; now++) {
    while (sent[0] && now >= sent[0].at + 50) flow.acknowledged(RATE, (sent.shift() as (typeof sent)[number]).mark, now, true);
    if (flow.inFlight + RATE <= flow.capBytes(now)) sent.push({ at: now, mark: flow.sent(RATE, now) });
  }
  return sent;
}

test('a path that ran empty is filled step by step, even if it never was empty quite', () => {
  const flow = new PathFlow(false);
  const sent = known(flow);
  expect(flow.capBytes(2_000)).toBeGreaterThan(MIB);
  flow.ranDry();
  while (sent.length > 1) flow.acknowledged(RATE, (sent.shift() as (typeof sent)[number]).mark, 2_050, true);
  expect(flow.capBytes(2_050)).toBeLessThan(MIB / 2);
});

test('acknowledgements that come all at once while more waits do not count as an empty path', () => {
  const flow = new PathFlow(false);
  const sent = known(flow);
  for (const { mark } of sent) flow.acknowledged(RATE, mark, 2_050, true);
  expect(flow.capBytes(2_050)).toBeGreaterThan(MIB);
});

test('what arrives at once behind a loss is not taken for a faster path', () => {
  const flow = new PathFlow(false);
  const sent = known(flow);
  const before = flow.capBytes(2_000);
  // All of it comes 300 ms late, and while it comes the next leaves.
  const next: ReturnType<PathFlow['sent']>[] = [];
  for (const { mark } of sent) {
    flow.acknowledged(RATE, mark, 2_350, true);
    next.push(flow.sent(RATE, 2_350));
  }
  for (const mark of next) flow.acknowledged(RATE, mark, 2_400, true);
  expect(flow.capBytes(2_400)).toBeLessThan(before * 1.3);
});
