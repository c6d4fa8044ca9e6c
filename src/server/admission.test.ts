import { expect, it } from 'vitest';
import { Admission } from './admission.ts';
import { DEFAULT_LIMITS, type ServerLimits } from './limits.ts';

function admission(limits: Partial<ServerLimits>): Admission {
  return new Admission({ ...DEFAULT_LIMITS, ...limits });
}

it('lets the oldest that has not spoken make room, and never one that has', () => {
  const places = admission({ maxHalfOpen: 2, maxHalfOpenPerAddress: 9 });
  const cut: string[] = [];
  const spoken = places.enter('a', () => cut.push('spoken'));
  spoken?.settle();
  for (const name of ['first', 'second', 'third']) places.enter(name, () => cut.push(name));
  expect(cut).toEqual(['first']);
  expect([places.total, places.halfOpen]).toEqual([3, 2]);
});

it('bounds those of one address by themselves', () => {
  const places = admission({ maxHalfOpen: 100, maxHalfOpenPerAddress: 2, maxConnectionsPerAddress: 3 });
  const cut: string[] = [];
  const enter = (host: string, name: string): ReturnType<Admission['enter']> => places.enter(host, () => cut.push(name));
  enter('b', 'other');
  for (const name of ['1', '2', '3']) enter('a', name);
  expect(cut).toEqual(['1']);
  // All that an address may have, and all of them in use: then it is refused.
  const busy = admission({ maxConnectionsPerAddress: 2 });
  for (let i = 0; i < 2; i++) busy.enter('a', () => {})?.settle();
  expect(busy.enter('a', () => {})).toBeNull();
  expect(busy.enter('b', () => {})).not.toBeNull();
});

it('gives way to a newcomer when the server is full of silent ones, else refuses', () => {
  const places = admission({ maxConnections: 2 });
  const cut: string[] = [];
  places.enter('a', () => cut.push('a'));
  places.enter('b', () => cut.push('b'))?.settle();
  expect(places.enter('c', () => cut.push('c'))).not.toBeNull();
  expect(cut).toEqual(['a']);
  places.enter('d', () => {})?.settle();
  expect(places.enter('e', () => {})).toBeNull();
  expect(places.total).toBe(2);
});

it('counts a proxy’s connections under the clients that it names', () => {
  const places = admission({ maxConnectionsPerAddress: 1, maxHalfOpenPerAddress: 9 });
  const proxied = Array.from({ length: 3 }, () => places.enter(null, () => {}));
  proxied.forEach((place) => place?.settle());
  expect(proxied.map((place, i) => place?.move(`client ${i % 2}`))).toEqual([true, true, false]);
  proxied[0]?.leave();
  expect(proxied[2]?.move('client 0')).toBe(true);
});

it('holds nothing when all have left', () => {
  const places = admission({});
  const all = Array.from({ length: 50 }, (_, i) => places.enter(`host ${i % 7}`, () => {}));
  all.forEach((place, i) => {
    if (i % 2) place?.settle();
    if (i % 3) place?.move('elsewhere');
    place?.leave();
    place?.leave();
  });
  expect([places.total, places.halfOpen]).toEqual([0, 0]);
});
