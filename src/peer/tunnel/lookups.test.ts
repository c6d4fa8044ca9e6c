import { expect, test } from 'vitest';
import { MAX_LOOKUPS, MAX_LOOKUPS_PER_PEER } from './limits.ts';
import { Lookups } from './lookups.ts';

/** A resolver that answers when it is told to. */
function resolver() {
  const asked = new Map<string, (addresses: { address: string }[]) => void>();
  const lookups = new Lookups((host) => new Promise((resolve) => asked.set(host, resolve)));
  return { asked, lookups, answer: (host: string) => asked.get(host)?.([{ address: '192.0.2.1' }]) };
}
const settle = () => new Promise((resolve) => setImmediate(resolve));
const { signal } = new AbortController();

test('names that nobody answers for keep only those of the same peer waiting', async () => {
  const { asked, lookups, answer } = resolver();
  const slow = Array.from({ length: MAX_LOOKUPS_PER_PEER + 1 }, (_, n) => lookups.of('1')(`slow${n}`, signal));
  const other = lookups.of('2')('quick', signal);
  await settle();
  expect(asked.size).toBe(MAX_LOOKUPS_PER_PEER + 1);
  answer('quick');
  expect(await other).toEqual([{ address: '192.0.2.1' }]);
  answer('slow0');
  await slow[0];
  await settle();
  expect(asked.has(`slow${MAX_LOOKUPS_PER_PEER}`)).toBe(true);
});

test('all peers together leave room for the program itself, and who gives up is not looked up for', async () => {
  const { asked, lookups, answer } = resolver();
  for (let n = 0; n < MAX_LOOKUPS; n++) void lookups.of(`p${n}`)(`n${n}`, signal);
  const abort = new AbortController();
  const given = lookups.of('late')('given-up', abort.signal);
  const late = lookups.of('late')('late', signal);
  await settle();
  expect(asked.size).toBe(MAX_LOOKUPS);
  abort.abort(new Error('enough'));
  await expect(given).rejects.toThrow('enough');
  answer('n0');
  await settle();
  expect(asked.has('given-up')).toBe(false);
  answer('late');
  await late;
});
