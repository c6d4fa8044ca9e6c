import { expect, test } from 'vitest';
import type { LinkClose } from '../core/link.ts';
import { RacedLink } from './raced-link.ts';
import { ScriptLink } from './script-link.ts';

const frame = (text: string): Uint8Array => Buffer.from(text);
const texts = (frames: readonly Uint8Array[]): string[] => frames.map((bytes) => Buffer.from(bytes).toString());
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function race(expected: number) {
  const raced = new RacedLink(expected);
  const got: Uint8Array[] = [];
  const closes: LinkClose[] = [];
  const take = (): void =>
    raced.setHandlers({ onFrame: (payload) => void got.push(payload), onClose: (close) => void closes.push(close) });
  return { raced, got, closes, take };
}

test('what is sent goes by all, behind the greeting of each, until one answers', () => {
  const { raced, got, take } = race(2);
  const [udp, tcp] = [new ScriptLink(), new ScriptLink()];
  raced.add({ link: udp, greeting: null });
  raced.send(frame('offer'));
  raced.add({ link: tcp, greeting: frame('hello') });
  take();
  expect([texts(udp.sent), texts(tcp.sent)]).toEqual([['offer'], ['hello', 'offer']]);
  tcp.feed(frame('answer'));
  expect([texts(got), udp.closed, tcp.closed]).toEqual([['answer'], true, false]);
  raced.send(frame('more'));
  expect(texts(tcp.sent)).toEqual(['hello', 'offer', 'more']);
  tcp.feed(frame('again'));
  expect(texts(got)).toEqual(['answer', 'again']);
});

test('the first frame waits for a receiver, and so does the end behind it', async () => {
  const { raced, got, closes, take } = race(1);
  const link = new ScriptLink();
  raced.add({ link, greeting: null });
  link.feed(frame('answer'));
  await raced.met;
  link.end({ by: 'remote' });
  take();
  await settled();
  expect([texts(got), closes]).toEqual([['answer'], [{ by: 'remote' }]]);
});

test('it ends when the last one has ended and no other is expected', async () => {
  const { raced, closes, take } = race(2);
  take();
  const link = new ScriptLink();
  raced.add({ link, greeting: null });
  link.end({ by: 'remote' });
  await settled();
  expect(closes).toEqual([]);
  raced.lost(new Error('refused'));
  await settled();
  expect(closes.map(({ by }) => by)).toEqual(['error']);
});

test('once one has won, others that fail or end change nothing', async () => {
  const settled: string[] = [];
  const raced = new RacedLink(3, () => {
    settled.push('settled');
    // As a dial that is given up does.
    raced.lost(new Error('aborted'));
  });
  const [winner, loser] = [new ScriptLink(), new ScriptLink()];
  raced.add({ link: winner, greeting: null });
  raced.add({ link: loser, greeting: null });
  winner.feed(frame('answer'));
  await raced.met;
  raced.send(frame('more'));
  expect([raced.closed, texts(winner.sent), settled]).toEqual([false, ['more'], ['settled']]);
});

test('a connection that comes too late is cut, and destroying cuts all', async () => {
  const { raced, closes, take } = race(3);
  const [a, late] = [new ScriptLink(), new ScriptLink()];
  take();
  raced.add({ link: a, greeting: null });
  raced.destroy();
  raced.add({ link: late, greeting: null });
  await settled();
  expect([a.closed, late.closed, closes.length]).toEqual([true, true, 1]);
});

test('who talks for ever to nobody is stopped', () => {
  const { raced } = race(1);
  const link = new ScriptLink();
  raced.add({ link, greeting: null });
  while (raced.send(new Uint8Array(16 * 1024)));
  expect(link.closed).toBe(true);
});
