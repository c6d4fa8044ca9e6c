import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import type { RelayState } from './cluster/directory.ts';
import { RelayChoice } from './relay-choice.ts';

const state = (address: string, more: Partial<RelayState> = {}): RelayState => ({
  ...{ address, pairs: 0, maxPairs: 100, bps: 0, maxBps: 0, draining: false },
  ...more,
});

describe('the relays of a cluster', () => {
  it('are taken in turn, and one that is gone is not taken any more', () => {
    const choice = new RelayChoice([], new VirtualClock());
    expect([choice.pick(), choice.names]).toEqual(['', []]);
    choice.announce([state('a'), state('b')]);
    expect(new Set([choice.pick(), choice.pick()])).toEqual(new Set(['a', 'b']));
    expect(choice.names).toEqual(['a', 'b']);
    choice.announce([state('b')]);
    expect([choice.pick(), choice.pick()]).toEqual(['b', 'b']);
    expect(choice.names).toEqual([]);
    choice.close();
  });

  it('fill up evenly, also faster than they report', () => {
    const choice = new RelayChoice([], new VirtualClock());
    choice.announce([state('a', { pairs: 60 }), state('b')]);
    const picked = Array.from({ length: 120 }, () => choice.pick());
    expect(picked.slice(0, 30)).toEqual(Array.from({ length: 30 }, () => 'b'));
    expect(picked.filter((address) => address === 'a').length).toBeGreaterThanOrEqual(20);
    choice.announce([state('a', { draining: true }), state('b', { pairs: 99 })]);
    expect(choice.pick()).toBe('b');
    choice.close();
  });

  it('are weighed by what the controller measured', () => {
    const choice = new RelayChoice([], new VirtualClock());
    choice.announce([state('near'), state('far'), state('unknown')]);
    const latency = (address: string): number | null => ({ near: 10, far: 150 })[address] ?? null;
    expect([choice.pick(latency), choice.pick(latency)]).toEqual(['near', 'near']);
    choice.close();
  });
});
