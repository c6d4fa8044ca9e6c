import { expect, test } from 'vitest';
import { BaseRoundTrip } from './base-round-trip.ts';

const within = 10;
const base = (shortest = 20): BaseRoundTrip => {
  const trip = new BaseRoundTrip(() => within);
  trip.sample(0, shortest);
  return trip;
};
/** Round trips of `rttMs` every 10 ms over that time. */
function samples(trip: BaseRoundTrip, from: number, to: number, rttMs: number): void {
  for (let now = from; now < to; now += 10) trip.sample(now, rttMs);
}

test('a queue that goes while we hold back was our own', () => {
  const trip = base();
  trip.probe(1_000, 100);
  expect([trip.probing(1_000), trip.probing(1_199), trip.probing(1_200)]).toEqual([true, true, false]);
  samples(trip, 1_000, 1_100, 100);
  samples(trip, 1_100, 1_300, 22);
  expect([trip.sharing(1_300), trip.shortest]).toEqual([false, 20]);
});

test('a queue that stays is that of others, for a while; then it is looked at again', () => {
  const trip = base();
  trip.probe(1_000, 100);
  samples(trip, 1_000, 1_300, 90);
  expect([trip.sharing(1_300), trip.shortest, trip.current(1_300)]).toEqual([true, 20, 90]);
  samples(trip, 1_300, 6_300, 90);
  expect(trip.probing(6_300)).toBe(true);
  samples(trip, 6_300, 6_600, 21);
  expect(trip.sharing(6_600)).toBe(false);
});

test('a shortest round trip that was not seen for ten seconds gives way to what is measured while holding back', () => {
  const trip = base();
  samples(trip, 100, 10_100, 60);
  expect([trip.shortest, trip.probing(10_100)]).toEqual([20, true]);
  samples(trip, 10_100, 10_400, 60);
  expect(trip.shortest).toBe(60);
  trip.sample(10_500, 15);
  expect(trip.shortest).toBe(15);
});

test('one that is confirmed now and then stays', () => {
  const trip = base();
  for (let now = 0; now < 60_000; now += 5_000) {
    samples(trip, now, now + 4_900, 60);
    trip.sample(now + 4_950, 20.5);
  }
  expect([trip.shortest, trip.sharing(60_000), trip.probing(60_000)]).toEqual([20, false, false]);
});
