import { expect, test } from 'vitest';
import { VirtualClock } from '../clock.ts';
import { memoryLinkPair } from '../memory-link.ts';
import { forEachSeed } from '../testing/seeds.ts';
import type { MuxEnd, MuxStream } from './contract.ts';
import { decodeFrame, encodeFrame, type MuxFrame } from './frame.ts';
import { bytesOf, StreamLog, WEB } from './fixtures.ts';
import { INITIAL_STREAM_CREDIT, LINK_CREDIT, OPEN_BURST, REFUSED_OPENS } from './limits.ts';
import { Mux } from './mux.ts';

/** A mux that accepts, and a link on which anything can be said to it. */
function victim() {
  const clock = new VirtualClock();
  const [evil, link] = memoryLinkPair();
  const answers: MuxFrame[] = [];
  evil.setHandlers({
    onFrame: (payload) => {
      const frame = decodeFrame(payload);
      if (frame) answers.push(frame);
    },
    onClose: () => {},
  });
  const offered: MuxStream[] = [];
  const mux = new Mux({ link, clock, role: 'accepting', onStream: (stream) => offered.push(stream) });
  const ends: MuxEnd[] = [];
  const violations: { streamId: number | null; reason: string }[] = [];
  mux.on('closed', (end) => ends.push(end));
  mux.on('violation', (violation) => violations.push(violation));
  const say = (...frames: MuxFrame[]): void => {
    for (const frame of frames) evil.send(encodeFrame(frame));
  };
  const of = <T extends MuxFrame['type']>(type: T): Extract<MuxFrame, { type: T }>[] =>
    answers.filter((frame): frame is Extract<MuxFrame, { type: T }> => frame.type === type);
  return { clock, evil, mux, offered, ends, violations, say, of, answers };
}

const HELLO: MuxFrame = { type: 'hello', version: 1 };
const open = (id: number): MuxFrame => ({ type: 'open', id, target: WEB });
const data = (id: number, length: number): MuxFrame => ({ type: 'data', id, bytes: new Uint8Array(length) });

test('more data than credit resets that stream, and no other', () => {
  const { say, offered, of, ends, violations } = victim();
  say(HELLO, open(1), open(3));
  for (let sent = 0; sent < INITIAL_STREAM_CREDIT; sent += 16_384) say(data(1, 16_384));
  say(data(1, 1), { type: 'data', id: 3, bytes: bytesOf('fine') });
  expect(of('reset')).toEqual([expect.objectContaining({ id: 1, code: 'flow-control' })]);
  expect(violations).toHaveLength(1);
  expect(new StreamLog(offered[1]!).text).toBe('fine');
  expect(ends).toEqual([]);
});

test('data after the end resets that stream', () => {
  const { say, of, ends } = victim();
  say(HELLO, open(1), { type: 'close', id: 1 }, data(1, 1), { type: 'close', id: 1 });
  expect(of('reset')).toEqual([expect.objectContaining({ id: 1, code: 'protocol' })]);
  expect(ends).toEqual([]);
});

test.each<[string, MuxFrame[]]>([
  ['data for a stream that never was', [data(5, 1)]],
  ['the end of a stream that never was', [{ type: 'close', id: 2 }]],
  ['an opening with our own numbers', [open(2)]],
  ['an opening with a number from the past', [open(5), open(3)]],
  ['an opening twice', [open(1), open(1)]],
  ['a second hello', [HELLO]],
  ['credit that the link cannot have', [{ type: 'credit', id: 0, bytes: 1 }]],
])('%s ends the mux', (_, frames) => {
  const { say, ends, of } = victim();
  say(HELLO, ...frames);
  expect(ends).toEqual([expect.objectContaining({ by: 'local', code: 'protocol' })]);
  expect(of('goaway')).toHaveLength(1);
});

test('nothing is taken before hello, and no frame that cannot be read', () => {
  const early = victim();
  early.say(open(1));
  expect(early.ends).toHaveLength(1);
  const broken = victim();
  broken.say(HELLO);
  broken.evil.send(Uint8Array.of(3, 0, 0));
  expect(broken.ends).toEqual([expect.objectContaining({ code: 'protocol' })]);
});

test('credit beyond any window resets the stream', () => {
  const { say, of, ends } = victim();
  say(HELLO, open(1), { type: 'credit', id: 1, bytes: 0xffff_ffff });
  expect(of('reset')).toEqual([expect.objectContaining({ id: 1, code: 'flow-control' })]);
  expect(ends).toEqual([]);
});

test('a flood of openings is refused, then ends the mux; time earns new ones', () => {
  const { say, of, ends, offered, clock } = victim();
  say(HELLO);
  let id = 1;
  const flood = (count: number): void => {
    for (let i = 0; i < count; i++, id += 2) say(open(id), { type: 'reset', id, code: 'cancelled', reason: '' });
  };
  flood(OPEN_BURST + 10);
  expect(offered).toHaveLength(OPEN_BURST);
  expect(of('reset').filter(({ code }) => code === 'too-many-opens')).toHaveLength(10);
  clock.advance(1_000);
  flood(500);
  expect(offered).toHaveLength(OPEN_BURST + 500);
  flood(REFUSED_OPENS + 1);
  expect(ends).toEqual([expect.objectContaining({ code: 'too-many-opens' })]);
});

test('a peer that never reads cannot make us queue answers without end', () => {
  const { evil, say, ends, mux } = victim();
  const link = evil;
  say(HELLO);
  // Its own end takes nothing any more: what we answer waits with us.
  let stuck = 0;
  const [dead, ours] = memoryLinkPair({ highWater: 1, lowWater: 0 });
  ours.auto = false;
  const held = new Mux({ link: ours, clock: new VirtualClock(), role: 'accepting' });
  held.on('closed', () => stuck++);
  dead.send(encodeFrame(HELLO));
  for (let i = 0; i < 20_000; i++) dead.send(encodeFrame({ type: 'ping', nonce: i }));
  expect(stuck).toBe(1);
  expect([link.closed, ends.length, mux.end]).toEqual([false, 0, null]);
});

test('the memory for unread bytes has an end, whatever the number of streams', () => {
  const { say, mux } = victim();
  say(HELLO);
  for (let id = 1, sent = 0; sent < LINK_CREDIT; id += 2) {
    say(open(id));
    for (let n = 0; n < INITIAL_STREAM_CREDIT && sent < LINK_CREDIT; n += 16_384, sent += 16_384) say(data(id, 16_384));
  }
  expect(mux.stats.unreadBytes).toBe(LINK_CREDIT);
  expect(mux.end).toBeNull();
  say(open(9_999), data(9_999, 1));
  expect(mux.end).toMatchObject({ code: 'flow-control' });
  expect(mux.stats.unreadBytes).toBe(0);
});

test('whatever is said, the victim neither throws nor counts wrong', async () => {
  await forEachSeed(300, (random) => {
    const { say, evil, mux, offered } = victim();
    if (random.chance(0.95)) say(HELLO);
    for (let step = 0; step < 150 && !mux.end; step++) {
      const id = 1 + random.below(random.chance(0.05) ? 50 : 12);
      switch (random.below(9)) {
        case 0:
          say(open(offered.length * 2 + 1));
          break;
        case 1:
        case 2:
          say(data(id, random.below(40_000)));
          break;
        case 3:
          say({ type: 'close', id });
          break;
        case 4:
          say({ type: 'credit', id: random.chance(0.1) ? 0 : id, bytes: random.below(1 << 20) });
          break;
        case 5:
          if (offered.length > 0) random.pick(offered).read();
          break;
        case 6:
          if (offered.length > 0) random.pick(offered).write(random.bytes(random.below(2_000)));
          break;
        case 7:
          if (offered.length > 0 && random.chance(0.2)) random.pick(offered).end();
          break;
        default:
          if (random.chance(0.1)) evil.send(random.bytes(random.below(20)));
          else say({ type: 'reset', id, code: 'cancelled', reason: '' });
      }
      expect(mux.stats.unreadBytes).toBe(offered.reduce((sum, stream) => sum + stream.unreadBytes, 0));
    }
    mux.close();
    expect(mux.stats).toMatchObject({ streams: 0, unreadBytes: 0, unsentBytes: 0 });
  });
});
