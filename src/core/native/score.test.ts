import { expect, test } from 'vitest';
import type { PathKind } from './contract.ts';
import { betterPath } from './score.ts';
import type { PathFacts } from './score.ts';

/** `udp 40`, `relay 30 suspect`, `tcp ?` (not measured), `udp 20 stalls 2`. */
function facts(text: string): PathFacts {
  const [kind, rtt, ...rest] = text.split(' ');
  return {
    kind: kind as PathKind,
    datagrams: kind === 'udp',
    rttMs: rtt === '?' ? null : Number(rtt),
    suspect: rest.includes('suspect'),
    stalls: rest[0] === 'stalls' ? Number(rest[1]) : 0,
  };
}

const moves: [candidate: string, current: string, moves: boolean][] = [
  // By class.
  ['udp 40', 'relay 40', true],
  ['udp 60', 'relay 40', true],
  ['udp 300', 'relay 40', false],
  ['relay 40', 'udp 60', false],
  ['relay 20', 'udp 300', true],
  ['lan 1', 'udp 10', true],
  ['udp 1', 'lan 2', false],
  ['ipv6 30', 'relay 25', true],
  // Not before it was measured, and only for a gain among equals.
  ['lan ?', 'relay 40', false],
  ['tcp 38', 'udp 40', false],
  ['tcp 30', 'udp 40', true],
  ['ipv6 1', 'tcp 4', false],
  // What is near goes over TCP, unless it is much slower.
  ['tcp 1', 'udp 4', true],
  ['tcp 2', 'udp 1', false],
  ['tcp 1', 'udp 1', true],
  ['udp 1', 'tcp 4', false],
  ['tcp 8', 'udp 9', false],
  // Silence and stalls.
  ['relay 90', 'lan 1 suspect', true],
  ['lan 1 suspect', 'relay 90', false],
  ['udp 20 stalls 1', 'tcp 40', false],
  ['tcp 40', 'udp 20 stalls 1', true],
  ['relay 40', 'udp 20 stalls 1', false],
  ['relay 40', 'udp 20 stalls 3', true],
  ['relay ?', 'udp 20 suspect', true],
];

test.each(moves)('%s instead of %s: %s', (candidate, current, moved) => {
  expect(betterPath(facts(candidate), facts(current))).toBe(moved);
});

test('anything is better than nothing', () => {
  expect(betterPath(facts('relay ? suspect'), null)).toBe(true);
});

test('no two paths are each better than the other, whatever is known of them', () => {
  const kinds: PathKind[] = ['lan', 'udp', 'tcp', 'relay'];
  const all = kinds.flatMap((kind) =>
    [0, 1, 5, 20, 60, 150, 400, null].flatMap((rttMs) =>
      [0, 1, 3].flatMap((stalls) => [true, false].map((suspect): PathFacts => ({ kind, datagrams: kind === 'udp', rttMs, stalls, suspect }))),
    ),
  );
  for (const one of all)
    for (const other of all)
      expect(betterPath(one, other) && betterPath(other, one), JSON.stringify([one, other])).toBe(false);
});
