import { once } from 'node:events';
import { Transform } from 'node:stream';
import { expect, it } from 'vitest';
import { muxPair, StreamLog, WEB } from '../core/mux/fixtures.ts';
import type { StreamResetError } from '../core/mux/index.ts';
import { join } from './join.ts';
import { StreamDuplex } from './stream-duplex.ts';
import { socketPair } from './test-pairs.ts';

/** A socket's client end, joined with a stream whose other end is `far`. */
async function joined(options: { auto?: boolean; through?: () => Transform } = {}) {
  const [client, socket, server] = await socketPair();
  server.close();
  client.on('error', () => {});
  const pair = muxPair({ auto: options.auto ?? true });
  const stream = pair.near.open(WEB);
  pair.settle();
  const done = new Promise<StreamResetError | null>((resolve) => {
    join(socket, new StreamDuplex(stream), { done: resolve, through: options.through });
  });
  return { client, pair, far: new StreamLog(pair.offered[0]!), done };
}

it('delivers what was written last, also when both directions have ended and it still waits', async () => {
  const { client, pair, far, done } = await joined({ auto: false });
  far.stream.write(Buffer.from('answer'));
  far.stream.end();
  pair.settle();
  client.end(Buffer.alloc(200_000, 1));
  expect(String((await once(client, 'data'))[0])).toBe('answer');
  await once(client, 'close');
  // To Node everything is finished; the link has not taken a byte of it yet.
  expect(far.bytes.length).toBe(0);
  await expect.poll(() => {
    pair.settle();
    return far.ended;
  }).toBe(true);
  expect(far.bytes.length).toBe(200_000);
  expect(far.error).toBeNull();
  expect(await done).toBeNull();
});

it('makes a reset of either end one of the other', async () => {
  const first = await joined();
  first.client.resetAndDestroy();
  expect(await first.done).toMatchObject({ code: 'target-reset' });
  expect(first.far.error).toMatchObject({ code: 'target-reset', by: 'remote' });
  const second = await joined();
  const failed = new Promise((resolve) => second.client.once('close', resolve));
  second.far.stream.reset('overloaded', 'no room');
  await failed;
  expect(second.client.errored).toMatchObject({ code: 'ECONNRESET' });
  expect(await second.done).toMatchObject({ code: 'overloaded', by: 'remote' });
});

it('keeps each direction open until it ends itself, through whatever is put between', async () => {
  const through = (): Transform => new Transform({ transform: (chunk: Buffer, _encoding, next) => next(null, chunk) });
  const { client, far, done } = await joined({ through });
  client.end('request');
  await expect.poll(() => far.text).toBe('request');
  await expect.poll(() => far.ended).toBe(true);
  far.stream.write(Buffer.from('much later'));
  far.stream.end();
  expect(String((await once(client, 'data'))[0])).toBe('much later');
  expect(await done).toBeNull();
});
