import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../core/clock.ts';
import { Mux, type MuxStream, StreamResetError } from '../core/mux/index.ts';
import { StreamDuplex } from './stream-duplex.ts';
import { socketPair, tcpPair } from './test-pairs.ts';

const cleanUp: (() => void)[] = [];
afterEach(() => {
  for (const done of cleanUp.splice(0)) done();
});

/** Two muxes over TCP; `next` waits for the stream that the far one is offered. */
async function muxes() {
  const [a, b, close] = await tcpPair();
  const waiting: ((stream: MuxStream) => void)[] = [];
  const near = new Mux({ link: a, clock: systemClock, role: 'connecting' });
  const far = new Mux({ link: b, clock: systemClock, role: 'accepting', onStream: (stream) => waiting.shift()?.(stream) });
  cleanUp.push(() => near.close(), close);
  const pair = async (): Promise<[StreamDuplex, StreamDuplex]> => {
    const arrived = new Promise<MuxStream>((resolve) => waiting.push(resolve));
    const here = new StreamDuplex(near.open({ kind: 'service', name: 'x' }));
    const there = new StreamDuplex(await arrived);
    // Those that are open when a test ends are reset then.
    for (const end of [here, there]) end.on('error', () => {});
    return [here, there];
  };
  return { near, far, pair };
}

const md5 = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('hex');
const errorOf = (stream: Duplex): Promise<unknown> => new Promise((resolve) => stream.once('error', resolve));

test('a socket and a stream join with one pipeline, both ways', async () => {
  const { pair, near, far } = await muxes();
  const [here, there] = await pair();
  const [client, server, listener] = await socketPair();
  cleanUp.push(() => listener.close(), () => client.destroy());
  void pipeline(server, here, server);
  // The far end sends everything back, and ends when we do.
  void pipeline(there, there);
  const sent = randomBytes(5_000_000);
  const received = buffer(client);
  client.end(sent);
  expect(md5(await received)).toBe(md5(sent));
  await expect.poll(() => [near.stats.streams, far.stats.streams]).toEqual([0, 0]);
});

test('one direction ends, the other goes on', async () => {
  const { pair } = await muxes();
  const [here, there] = await pair();
  here.end('question');
  expect(String(await buffer(there))).toBe('question');
  expect(there.destroyed).toBe(false);
  there.end('answer');
  expect(String(await buffer(here))).toBe('answer');
});

test('destroying one end resets the other, with the code', async () => {
  const { pair } = await muxes();
  const [here, there] = await pair();
  const failed = errorOf(there);
  here.destroy(new StreamResetError('refused', 'nothing listens', 'local'));
  expect(await failed).toMatchObject({ code: 'refused', by: 'remote' });
  const [mine, yours] = await pair();
  const cancelled = errorOf(yours);
  mine.destroy();
  expect(await cancelled).toMatchObject({ code: 'cancelled' });
});

test('a writer that is far ahead when both ends finish still delivers everything', async () => {
  const { pair } = await muxes();
  const [here, there] = await pair();
  there.end();
  here.resume();
  await once(here, 'end');
  const sent = randomBytes(3_000_000);
  const done = pipeline(Readable.from([sent]), here);
  expect(md5(await buffer(there))).toBe(md5(sent));
  await done;
});

test('what is not read stays at its sender', async () => {
  const { pair, near, far } = await muxes();
  const [still] = await pair();
  let written = 0;
  while (written < 64 << 20 && still.write(Buffer.alloc(65_536))) written += 65_536;
  const [here, there] = await pair();
  const sent = randomBytes(20_000_000);
  void pipeline(Readable.from([sent]), here);
  expect(md5(await buffer(there))).toBe(md5(sent));
  // One stream's credit, what its Duplex buffers, and what waits to be sent.
  expect(far.stats.unreadBytes).toBeLessThanOrEqual(256 * 1024);
  expect(near.stats.unsentBytes).toBeLessThanOrEqual(512 * 1024);
  expect(written).toBeLessThan(2 << 20);
});
