import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../test/lib/until.ts';
import { VirtualClock } from '../core/clock.ts';
import { decodeRendezvous } from '../core/wire/index.ts';
import { SpareRelay } from './spare-relay.ts';
import { FrameServer } from './test-frame-server.ts';

let relay: FrameServer;
let arrived: FrameServer['arrived'];
let spare: SpareRelay;
let clock: VirtualClock;

beforeEach(async () => {
  clock = new VirtualClock();
  relay = await FrameServer.start();
  ({ arrived } = relay);
  spare = new SpareRelay({ host: '127.0.0.1', port: relay.port - 1, key: '' }, clock);
});

afterEach(async () => {
  spare.stop();
  await relay.close();
});

const isPark = (frame: Uint8Array | undefined): boolean => frame !== undefined && decodeRendezvous(frame).union === 'relayPark';

it('is there before it is asked for, gives signs of life, and is replaced once it was taken', async () => {
  expect(spare.take()).toBeNull();
  spare.start();
  await until(() => isPark(arrived[0]?.frames[0]));
  clock.advance(26_000);
  await until(() => arrived[0]?.frames.length === 2);
  expect(arrived[0]?.frames[1]).toHaveLength(0);
  const link = spare.take();
  expect([link?.closed, spare.take()]).toEqual([false, null]);
  clock.advance(200);
  await until(() => isPark(arrived[1]?.frames[0]));
  link?.send(Buffer.from('session'));
  await until(() => arrived[0]?.frames.length === 3);
  link?.destroy();
  spare.stop();
  await until(() => arrived[1]?.socket.destroyed === true);
  expect(clock.pending).toBe(0);
});

it('one that the relay ends is dialled again, later each time', async () => {
  spare.start();
  for (const waitMs of [5_000, 10_000, 20_000]) {
    await until(() => arrived.at(-1)?.frames.length === 1);
    const end = arrived.at(-1);
    end?.socket.end();
    // Its other half closes once the spare has seen the end.
    await until(() => end?.socket.destroyed === true);
    clock.advance(waitMs - 1);
    expect(arrived.at(-1)).toBe(end);
    clock.advance(1);
    await until(() => arrived.at(-1) !== end);
  }
});

it('one that speaks unasked is no relay of ours', async () => {
  spare.start();
  await until(() => isPark(arrived[0]?.frames[0]));
  arrived[0]?.socket.write(Buffer.from([4, 65]));
  await until(() => arrived[0]?.socket.destroyed === true);
  expect(spare.take()).toBeNull();
});
