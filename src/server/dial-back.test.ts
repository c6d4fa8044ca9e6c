import { expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { DialBack } from './dial-back.ts';
import { DEFAULT_LIMITS } from './limits.ts';

/** `reaches`: the local addresses from which clients are reached. */
function setUp(secondAddress: string | null, reaches: readonly (string | undefined)[], limits = DEFAULT_LIMITS) {
  const clock = new VirtualClock();
  const dialled: string[] = [];
  const waiting: (() => void)[] = [];
  const dialBack = new DialBack({
    ...{ limits, clock, secondAddress },
    dial: (to, fromHost) => {
      dialled.push(`${fromHost ?? 'any'} to ${to.host}:${to.port}`);
      return new Promise((resolve) => waiting.push(() => resolve(reaches.includes(fromHost))));
    },
  });
  const answer = (): void => {
    for (const done of waiting.splice(0)) done();
  };
  return { clock, dialBack, dialled, answer };
}

test('a client is dialled from the address that it asked, and from the other one', async () => {
  const { dialBack, dialled, answer } = setUp('203.0.113.6', ['203.0.113.5']);
  const outcome = dialBack.dial({ host: '198.51.100.7', port: 4000 }, '203.0.113.5');
  answer();
  expect(await outcome).toEqual({ fromOtherPort: true, fromOtherAddress: false });
  expect(dialled).toEqual(['203.0.113.5 to 198.51.100.7:4000', '203.0.113.6 to 198.51.100.7:4000']);
});

test.each([
  ['there is none', null, '203.0.113.5'],
  ['it is of the other family', '2001:db8::6', '203.0.113.5'],
  ['it is the one that was asked', '203.0.113.5', '203.0.113.5'],
])('nothing is said of the other address where %s', async (_why, second, asked) => {
  const { dialBack, answer } = setUp(second, [asked]);
  const outcome = dialBack.dial({ host: '198.51.100.7', port: 4000 }, asked);
  answer();
  expect(await outcome).toEqual({ fromOtherPort: true, fromOtherAddress: null });
});

test('one address is dialled once a second, many at once only up to the limit', async () => {
  const { clock, dialBack, answer } = setUp(null, [], { ...DEFAULT_LIMITS, maxDialBacks: 2 });
  const from = (n: number): ReturnType<DialBack['dial']> => dialBack.dial({ host: `198.51.100.${n}`, port: 4000 + n }, '');
  const first = from(1);
  expect(first).not.toBeNull();
  expect(dialBack.dial({ host: '198.51.100.1', port: 5 }, '')).toBeNull();
  expect(from(2)).not.toBeNull();
  clock.advance(DEFAULT_LIMITS.dialBackPauseMs);
  expect(from(3)).toBeNull();
  answer();
  await first;
  expect(from(3)).not.toBeNull();
  // Who came through a proxy has no port.
  expect(dialBack.dial({ host: '198.51.100.9', port: 0 }, '')).toBeNull();
});
