import { describe, expect, test } from 'vitest';
import { UNKNOWN_NETWORK } from './network.ts';
import { MAX_PAIRS, Outcomes, reordered } from './outcomes.ts';
import { planWays } from './plan.ts';

const DAY_MS = 24 * 3_600_000;

describe('what worked between two networks', () => {
  test('is what the next search begins with, for that pair alone', () => {
    const outcomes = new Outcomes();
    outcomes.worked('home office', 'tcp', 0);
    expect(outcomes.best('home office', DAY_MS)).toBe('tcp');
    expect(outcomes.best('train office', DAY_MS)).toBeNull();
  });

  test('is forgotten after two searches without it, and after a quarter of a year', () => {
    const outcomes = new Outcomes();
    outcomes.worked('a', 'udp-birthday', 0);
    expect(outcomes.failed('a')).toBe(true);
    expect(outcomes.best('a', DAY_MS)).toBe('udp-birthday');
    outcomes.worked('a', 'udp-birthday', DAY_MS);
    outcomes.failed('a');
    expect(outcomes.best('a', 2 * DAY_MS)).toBe('udp-birthday');
    outcomes.failed('a');
    expect(outcomes.best('a', 2 * DAY_MS)).toBeNull();
    expect(outcomes.failed('a')).toBe(false);
    outcomes.worked('b', 'tcp', 0);
    expect(outcomes.best('b', 89 * DAY_MS)).toBe('tcp');
    expect(outcomes.best('b', 91 * DAY_MS)).toBeNull();
  });

  test('is bounded: the pair that was not used for longest goes', () => {
    const outcomes = new Outcomes();
    for (let i = 0; i <= MAX_PAIRS; i++) {
      outcomes.worked(`pair ${i}`, 'udp', i);
      outcomes.worked('the first', 'tcp', i);
    }
    expect(outcomes.entries).toHaveLength(MAX_PAIRS);
    expect(outcomes.best('the first', MAX_PAIRS)).toBe('tcp');
    expect(outcomes.best('pair 0', MAX_PAIRS)).toBeNull();
    expect(new Outcomes(outcomes.entries).entries).toEqual(outcomes.entries);
  });

  test('goes first in the plan and says why; all other ways stay, the relay last', () => {
    const plan = planWays(UNKNOWN_NETWORK, UNKNOWN_NETWORK, { samePublicAddress: false });
    const next = reordered(plan, 'tcp');
    expect(next[0]).toMatchObject({ way: 'tcp', chance: 'likely' });
    expect(next[0]?.reason).toMatch(/^it worked between these two before/);
    expect(next.map(({ way }) => way).sort()).toEqual(plan.map(({ way }) => way).sort());
    expect(next.at(-1)?.way).toBe('relay');
    expect(reordered(plan, 'udp-birthday')).toEqual(plan);
    expect(reordered(plan, 'relay')).toEqual(plan);
    expect(reordered(plan, null)).toEqual(plan);
  });
});
