import { expect, it } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import type { Offer } from '../../core/publish/index.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { PeerQuota } from './peer-quota.ts';
import { Place } from './place.ts';
import { Places } from './places.ts';

const OFFER: Offer = { name: 'a', kind: 'tcp', port: 30_000, host: '', allow: [], basicAuth: null, maxConnections: 0, bandwidthKbps: 0, healthy: true, programs: 1 };

function setUp(limits = DEFAULT_LIMITS): { clock: VirtualClock; places: Places; place: (key: string, id: string) => Place } {
  const clock = new VirtualClock();
  const place = (key: string, id: string): Place =>
    new Place({ key, peer: new PeerQuota(id, limits, clock), offer: OFFER, limits, clock, onEnded: () => {} });
  return { clock, places: new Places(limits, clock), place };
}

it('keeps a place for a while for a computer that was lost, and not for one that gave it up', () => {
  const { clock, places, place } = setUp();
  const [lost, given] = [place('tcp:1', 'anna'), place('tcp:2', 'anna')];
  for (const one of [lost, given]) places.add(one);
  expect(places.isTaken('tcp:1', 'bert')).toBe(true);
  expect(places.isTaken('tcp:1', 'anna')).toBe(false);
  places.remove(lost, true);
  places.remove(given, false);
  expect(places.isTaken('tcp:1', 'bert')).toBe(true);
  expect(places.isTaken('tcp:1', 'anna')).toBe(false);
  expect(places.isTaken('tcp:2', 'bert')).toBe(false);
  clock.advance(DEFAULT_LIMITS.publishHoldMs);
  places.sweep();
  expect(places.isTaken('tcp:1', 'bert')).toBe(false);
});

it('keeps so many, the oldest go first', () => {
  const { places, place } = setUp({ ...DEFAULT_LIMITS, maxPublishHolds: 2 });
  for (const key of ['tcp:1', 'tcp:2', 'tcp:3']) {
    const one = place(key, 'anna');
    places.add(one);
    places.remove(one, true);
  }
  expect(['tcp:1', 'tcp:2', 'tcp:3'].map((key) => places.isTaken(key, 'bert'))).toEqual([false, true, true]);
});

it('limits what all services of a computer are opened', () => {
  const clock = new VirtualClock();
  const quota = new PeerQuota('anna', { ...DEFAULT_LIMITS, maxPublishedPerPeer: 3, publishedOpensPerSecond: 2 }, clock);
  expect([1, 2, 3, 4].map(() => quota.enter())).toEqual([true, true, true, false]);
  for (let i = 0; i < 3; i++) quota.leave();
  expect([1, 2].map(() => quota.enter())).toEqual([true, false]);
  clock.advance(1_000);
  expect([1, 2, 3].map(() => quota.enter())).toEqual([true, true, false]);
});
