import { expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { ScriptLink } from '../net/script-link.ts';
import type { NetLink, SecuredLink } from '../net/index.ts';
import { FOUNDING_MS, SessionFounder } from './session-founder.ts';

const OFFER = Uint8Array.of(1);
const SECRETS = { sessionId: new Uint8Array(16).fill(7), sessionSecret: new Uint8Array(32).fill(9) };

/** A key exchange as the founder sees it: takes the offer, then ends when the test says so, or with its link. */
function exchange(founder: SessionFounder) {
  const link = new ScriptLink();
  const state = { offers: 0, finish: (): void => {} };
  const result = founder.found(
    link,
    (held: NetLink) =>
      new Promise((resolve, reject) => {
        state.finish = () => resolve({ native: { ...SECRETS } } as unknown as SecuredLink);
        held.setHandlers({
          onFrame: () => {
            state.offers++;
          },
          onClose: ({ error }) => reject(error ?? new Error('closed')),
        });
      }),
  );
  result.catch(() => {});
  return { link, state, result };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the first offer makes the session; the others are answered when it stands, and join it', async () => {
  const founder = new SessionFounder(null, new VirtualClock());
  const [a, b] = [exchange(founder), exchange(founder)];
  b.link.feed(OFFER);
  a.link.feed(OFFER);
  expect([a.state.offers, b.state.offers]).toEqual([0, 1]);
  expect(founder.ticket).toBeNull();
  b.state.finish();
  await b.result;
  expect(founder.ticket).toEqual(SECRETS);
  expect(a.state.offers).toBe(1);
});

test('a path that falls silent in the middle of it holds the others up for a moment only', async () => {
  const clock = new VirtualClock();
  const founder = new SessionFounder(null, clock);
  const [silent, good] = [exchange(founder), exchange(founder)];
  silent.link.feed(OFFER);
  clock.advance(10 * FOUNDING_MS);
  // Nobody waits: it may take its time.
  expect(silent.link.closed).toBe(false);
  good.link.feed(OFFER);
  clock.advance(FOUNDING_MS - 1);
  expect(good.state.offers).toBe(0);
  clock.advance(1);
  await expect(silent.result).rejects.toThrow('fell silent');
  await settled();
  expect(good.state.offers).toBe(1);
  good.state.finish();
  await good.result;
  expect(founder.ticket).toEqual(SECRETS);
});

test('who waited and went away does not cost the slow path its place', async () => {
  const clock = new VirtualClock();
  const founder = new SessionFounder(null, clock);
  const [slow, other] = [exchange(founder), exchange(founder)];
  slow.link.feed(OFFER);
  other.link.feed(OFFER);
  other.link.destroy(new Error('gone'));
  await expect(other.result).rejects.toThrow('gone');
  clock.advance(2 * FOUNDING_MS);
  expect(slow.link.closed).toBe(false);
  slow.state.finish();
  await slow.result;
  expect(founder.ticket).toEqual(SECRETS);
});
