import { expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import type { LinkState } from '../core/native/contract.ts';
import { StaleSessions } from './stale-sessions.ts';

function setUp() {
  const clock = new VirtualClock();
  const stale = new StaleSessions(clock);
  const ended: string[] = [];
  const open = (name: string, key = 'a desktop'): { set: (state: LinkState) => void } => {
    let state: LinkState = 'live';
    let listener: (state: LinkState) => void = () => {};
    const set = (next: LinkState): void => {
      state = next;
      listener(next);
    };
    const link = {
      get state() {
        return state;
      },
      onStateChange: (wanted: typeof listener) => {
        listener = wanted;
        return () => {};
      },
    };
    stale.opened({ key, link, end: () => (ended.push(name), set('closed')) });
    return { set };
  };
  return { clock, stale, ended, open };
}

test('a session without a path ends when its computer has opened another, before it or after', () => {
  const t = setUp();
  t.open('first').set('searching');
  t.clock.advance(1_500);
  const second = t.open('second');
  t.clock.advance(2_999);
  expect(t.ended).toEqual([]);
  t.clock.advance(1);
  expect(t.ended).toEqual(['first']);
  t.open('third');
  second.set('searching');
  t.clock.advance(3_000);
  expect(t.ended).toEqual(['first', 'second']);
  expect(t.clock.pending).toBe(0);
});

test('two sessions that fall dark together, and come back one after the other, stay', () => {
  const t = setUp();
  const [one, other] = [t.open('one'), t.open('other')];
  t.clock.advance(10_000);
  one.set('searching');
  t.clock.advance(400);
  other.set('searching');
  t.clock.advance(20_000);
  other.set('live');
  t.clock.advance(900);
  one.set('live');
  t.clock.advance(10_000);
  expect(t.ended).toEqual([]);
});

test('of other computers, other kinds and those that work nothing ends', () => {
  const t = setUp();
  t.open('another computer', 'b desktop').set('searching');
  t.open('another kind', 'a tunnel').set('searching');
  t.open('first');
  t.open('second').set('searching');
  t.clock.advance(10_000);
  expect(t.ended).toEqual([]);
  t.stale.close();
  expect(t.clock.pending).toBe(0);
});
