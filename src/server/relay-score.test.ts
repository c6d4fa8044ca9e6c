import { describe, expect, it } from 'vitest';
import { bestRelays, type RelayCandidate } from './relay-score.ts';

type Row = [address: string, more?: Partial<RelayCandidate>];
const relay = ([address, more = {}]: Row): RelayCandidate => ({
  ...{ address, healthy: true, full: false, load: null, latencyMs: null },
  ...more,
});

describe('the choice among relays', () => {
  const cases: [why: string, relays: Row[], best: string[]][] = [
    ['nothing is known: all in turn', [['a'], ['b'], ['c']], ['a', 'b', 'c']],
    ['one does not answer', [['a', { healthy: false }], ['b'], ['c']], ['b', 'c']],
    ['none answers: the fault is ours', [['a', { healthy: false }], ['b', { healthy: false }]], ['a', 'b']],
    ['one has no place', [['a', { full: true }], ['b', { load: 0.9 }]], ['b']],
    ['a healthy one without a place before one that is dead', [['a', { full: true }], ['b', { healthy: false }]], ['a']],
    ['the less used one', [['a', { load: 0.6 }], ['b', { load: 0.1 }]], ['b']],
    ['hardly used is as good as unused', [['a', { load: 0.1 }], ['b', { load: 0 }]], ['a', 'b']],
    ['the near one', [['a', { latencyMs: 20 }], ['b', { latencyMs: 180 }]], ['a']],
    ['the near one, even when it is half full', [['a', { latencyMs: 20, load: 0.5 }], ['b', { latencyMs: 180, load: 0 }]], ['a']],
    ['the far one, when the near one is nearly full', [['a', { latencyMs: 20, load: 0.9 }], ['b', { latencyMs: 180, load: 0 }]], ['b']],
    ['unmeasured: between the near and the far', [['a', { latencyMs: 20 }], ['b'], ['c', { latencyMs: 180 }]], ['a']],
    ['measurements vary', [['a', { latencyMs: 20 }], ['b', { latencyMs: 28 }]], ['a', 'b']],
    ['there are none', [], []],
  ];
  for (const [why, relays, best] of cases)
    it(why, () => expect(bestRelays(relays.map(relay)).map(({ address }) => address)).toEqual(best));
});
