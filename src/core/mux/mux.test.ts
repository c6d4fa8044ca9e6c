import { expect, test } from 'vitest';
import { VirtualClock } from '../clock.ts';
import { memoryLinkPair } from '../memory-link.ts';
import { decodeFrame, encodeFrame } from './frame.ts';
import { bytesOf, muxPair, StreamLog, WEB } from './fixtures.ts';
import { INITIAL_STREAM_CREDIT, LINK_CREDIT, STREAM_QUEUE_HIGH, TURN_BYTES } from './limits.ts';
import { Mux } from './mux.ts';

test('data follows the opening at once, and arrives before any answer', () => {
  const { near, nearLink, farLink, offered } = muxPair({ auto: false });
  const stream = near.open(WEB);
  stream.write(bytesOf('GET / HTTP/1.1'));
  stream.end();
  nearLink.flush();
  expect(farLink.stats.framesOut).toBe(0);
  expect(offered[0]).toMatchObject({ id: 1, target: WEB, incoming: true });
  const log = new StreamLog(offered[0]!);
  expect([log.text, log.ended]).toEqual(['GET / HTTP/1.1', true]);
});

test('each direction ends on its own, and both in order is the end', () => {
  const { near, far, offered, clock } = muxPair();
  const a = new StreamLog(near.open(WEB));
  a.stream.write(bytesOf('question'));
  a.stream.end();
  const b = new StreamLog(offered[0]!);
  expect(b.ended).toBe(true);
  expect(b.stream.closed).toBeNull();
  offered[0]!.accept('192.0.2.7:80');
  expect(a.opened).toBe('192.0.2.7:80');
  b.stream.write(bytesOf('answer'));
  expect(a.text).toBe('answer');
  b.stream.end();
  expect([a.error, b.error, a.ended]).toEqual([null, null, true]);
  expect([near.stats.streams, far.stats.streams]).toEqual([0, 0]);
  near.close();
  expect(clock.pending).toBe(0);
});

test('both sides open streams whose numbers never meet', () => {
  const pair = muxPair();
  const fromFar = pair.far.open(WEB);
  // The near side takes none.
  expect(fromFar.closed?.error).toMatchObject({ code: 'refused-by-rule', by: 'remote' });
  expect(pair.near.open(WEB).id).toBe(1);
  expect(pair.near.open(WEB).id).toBe(3);
  expect(pair.far.open(WEB).id).toBe(4);
});

test('who takes a stream over after its end learns of it', () => {
  const { near, offered } = muxPair();
  const first = new StreamLog(near.open(WEB));
  offered[0]!.reset('refused');
  expect(first.error?.code).toBe('refused');
  expect(new StreamLog(first.stream).error?.code).toBe('refused');
});

test('a reset tells its reason and drops what was not read', () => {
  const { near, far, offered } = muxPair();
  const a = new StreamLog(near.open(WEB));
  a.stream.write(bytesOf('lost'));
  const b = new StreamLog(offered[0]!, true);
  b.stream.reset('refused', 'nothing listens there');
  expect(a.error).toMatchObject({ code: 'refused', by: 'remote', message: 'refused: nothing listens there' });
  expect(b.error).toMatchObject({ code: 'refused', by: 'local' });
  expect(b.stream.read()).toBeNull();
  expect([near.stats.unsentBytes, far.stats.unreadBytes]).toEqual([0, 0]);
  expect(a.stream.write(bytesOf('more'))).toBe(false);
});

test('who does not read stops its own stream only, after the initial credit', () => {
  const { near, far, offered } = muxPair();
  const still = near.open(WEB);
  const lively = new StreamLog(near.open(WEB));
  let taken = 0;
  while (still.write(new Uint8Array(TURN_BYTES))) taken += TURN_BYTES;
  expect(taken + TURN_BYTES).toBe(INITIAL_STREAM_CREDIT + STREAM_QUEUE_HIGH);
  expect(far.stats.unreadBytes).toBe(INITIAL_STREAM_CREDIT);
  const reader = new StreamLog(offered[1]!);
  for (let i = 0; i < 100; i++) lively.stream.write(new Uint8Array(64 * 1024));
  expect(reader.bytes).toHaveLength(100 * 64 * 1024);
  const late = new StreamLog(offered[0]!);
  expect(late.bytes).toHaveLength(INITIAL_STREAM_CREDIT + STREAM_QUEUE_HIGH);
  expect(near.stats.unsentBytes).toBe(0);
});

test('the writer gives every stream a turn, and a newcomer does not wait for what is queued', () => {
  const { near, nearLink, offered, settle } = muxPair({ auto: false, link: { highWater: TURN_BYTES, lowWater: 0 } });
  settle();
  const bulk = near.open(WEB);
  bulk.write(new Uint8Array(200 * 1024));
  const key = near.open(WEB);
  key.write(bytesOf('k'));
  while (offered[1]?.unreadBytes !== 1) expect(nearLink.flush(1)).toBe(1);
  expect(offered[0]?.unreadBytes).toBeLessThanOrEqual(2 * TURN_BYTES);
});

test('little waits in the link, whatever is written', () => {
  const { near, nearLink, clock } = muxPair({ auto: false });
  for (let i = 0; i < 20; i++) near.open(WEB).write(new Uint8Array(200 * 1024));
  expect(nearLink.bufferedBytes).toBeLessThanOrEqual(128 * 1024 + TURN_BYTES + 2_000);
  // The link took everything, so it does not tell when it has room again: it is asked.
  nearLink.flush();
  expect(nearLink.bufferedBytes).toBe(0);
  clock.advance(1);
  expect(nearLink.bufferedBytes).toBeGreaterThan(64 * 1024);
});

test('a link that breaks resets all streams with the reason, and the mux is over', () => {
  const { near, nearLink, ends, offered, clock } = muxPair();
  const a = new StreamLog(near.open(WEB));
  const b = new StreamLog(offered[0]!);
  nearLink.destroy(new Error('cable pulled'));
  expect(a.error).toMatchObject({ code: 'link-lost', by: 'link', message: 'link-lost: cable pulled' });
  expect(b.error).toMatchObject({ code: 'link-lost', by: 'link' });
  expect(ends.near).toEqual({ by: 'link', code: 'link-lost', reason: 'cable pulled' });
  expect(() => near.open(WEB)).toThrow('cable pulled');
  expect(clock.pending).toBe(0);
});

test('an end in order is told to the other side', () => {
  const { near, ends, offered } = muxPair();
  near.open(WEB);
  const b = new StreamLog(offered[0]!);
  near.close('shutting-down', 'the program ends');
  expect(ends).toEqual({
    near: { by: 'local', code: 'shutting-down', reason: 'the program ends' },
    far: { by: 'remote', code: 'shutting-down', reason: 'the program ends' },
  });
  expect(b.error).toMatchObject({ code: 'shutting-down', by: 'remote' });
});

test('the round trip is measured while data moves', () => {
  const { near, nearLink, farLink, clock } = muxPair({ auto: false });
  near.open(WEB);
  clock.advance(30);
  nearLink.flush();
  clock.advance(30);
  farLink.flush();
  expect(near.stats.rttMs).toBe(60);
});

test('a quiet link is kept alive, a dead one is given up', () => {
  const { near, nearLink, farLink, clock, ends } = muxPair();
  const open = near.open(WEB);
  clock.advance(10 * 60_000);
  expect(ends.near).toBeNull();
  nearLink.auto = false;
  farLink.auto = false;
  clock.advance(61_000);
  expect(ends.near).toMatchObject({ by: 'link', code: 'timeout' });
  expect(open.closed?.error?.code).toBe('link-lost');
});

test('streams that nobody reads give way before they hold up the others for good', () => {
  const { near, far, offered, clock } = muxPair({ far: {} });
  const stuck = Array.from({ length: LINK_CREDIT / INITIAL_STREAM_CREDIT }, () => near.open(WEB));
  for (const stream of stuck) stream.write(new Uint8Array(INITIAL_STREAM_CREDIT));
  const lively = near.open(WEB);
  lively.write(new Uint8Array(INITIAL_STREAM_CREDIT));
  expect(far.stats.unreadPeakBytes).toBeLessThanOrEqual(LINK_CREDIT);
  const reader = new StreamLog(offered.at(-1)!);
  expect(reader.bytes.length).toBe(0);
  clock.advance(3_000);
  expect(reader.bytes.length).toBe(INITIAL_STREAM_CREDIT);
  const gone = stuck.filter((stream) => stream.closed?.error?.code === 'overloaded');
  expect(gone.length).toBeGreaterThan(0);
  expect(gone.length).toBeLessThan(40);
});

test('small frames of one turn leave as one, an opening with what is sent first, and a target reached with its answer', () => {
  const turns: (() => void)[] = [];
  const turn = (): void => {
    for (const run of turns.splice(0)) run();
  };
  const { near, nearLink, farLink, offered, clock } = muxPair({ afterTurn: (run) => turns.push(run) });
  turn();
  const sent = [nearLink.stats.framesOut, farLink.stats.framesOut];
  const since = (): number[] => [nearLink.stats.framesOut - sent[0]!, farLink.stats.framesOut - sent[1]!];
  const one = new StreamLog(near.open(WEB));
  const two = new StreamLog(near.open(WEB));
  turn();
  expect(offered).toHaveLength(0);
  for (const { stream } of [one, two]) stream.write(bytesOf('question'));
  turn();
  expect([since(), offered.map((stream) => new StreamLog(stream).text)]).toEqual([[1, 0], ['question', 'question']]);
  turn();
  for (const stream of offered) stream.accept('192.0.2.7:80');
  turn();
  expect(one.opened).toBeNull();
  offered[0]!.write(bytesOf('answer'));
  turn();
  expect([one.opened, two.opened, one.text]).toEqual(['192.0.2.7:80', '192.0.2.7:80', 'answer']);
  // The second one answers a measurement.
  expect(since()).toEqual([2, 2]);
  clock.advance(10);
  expect(since()).toEqual([2, 2]);
});

test('an opening without data leaves after two turns, a target reached without an answer after some milliseconds', () => {
  const turns: (() => void)[] = [];
  const turn = (): void => {
    for (const run of turns.splice(0)) run();
  };
  const { near, offered, clock } = muxPair({ afterTurn: (run) => turns.push(run) });
  turn();
  const log = new StreamLog(near.open(WEB));
  turn();
  expect(offered).toHaveLength(0);
  turn();
  expect(offered).toHaveLength(1);
  log.stream.write(bytesOf('question'));
  turn();
  offered[0]!.accept('192.0.2.7:80');
  turn();
  expect(log.opened).toBeNull();
  clock.advance(5);
  expect(log.opened).toBe('192.0.2.7:80');
});

test('what was written last leaves before the end of the mux in the same turn', () => {
  const turns: (() => void)[] = [];
  const { near, offered } = muxPair({ afterTurn: (run) => turns.push(run) });
  for (const run of turns.splice(0)) run();
  near.open(WEB).write(bytesOf('last words'));
  near.close();
  expect(offered).toHaveLength(1);
  expect(offered[0]!.bytesIn).toBe(10);
});

test('an end of the first version is sent no groups', () => {
  const turns: (() => void)[] = [];
  const [old, link] = memoryLinkPair();
  const frames: Uint8Array[] = [];
  old.setHandlers({ onFrame: (payload) => frames.push(payload), onClose: () => {} });
  const mux = new Mux({ link, clock: new VirtualClock(), role: 'connecting', afterTurn: (run) => turns.push(run) });
  old.send(encodeFrame({ type: 'hello', version: 1 }));
  mux.open(WEB).write(bytesOf('x'));
  for (const run of turns.splice(0)) run();
  expect(frames.map((frame) => decodeFrame(frame)?.type)).toEqual(['hello', 'ping', 'open', 'data']);
});
