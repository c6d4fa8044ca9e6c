/** Busy sessions at the relay, which are read into memory that is used again: every byte arrives, once and in order. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../test/lib/until.ts';
import { encodeFrame, encodeRendezvous } from '../core/wire/index.ts';
import { adoptSocket } from './adopt-socket.ts';
import { type RunningServer, startServer } from './index.ts';
import { ReadBuffers } from './read-buffers.ts';

let dir: string;
let server: RunningServer;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-bulk-'));
  // Few large buffers, so that some sessions go without.
  server = await startServer({ dataDir: dir, ports: { rendezvous: -1 }, openRelay: true, limits: { maxRelayReadBuffers: 3 } });
});
afterEach(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

function join2(uuid: string): Socket {
  const socket = connect({ host: '127.0.0.1', port: server.ports.relay, allowHalfOpen: true });
  socket.write(encodeFrame(encodeRendezvous({ requestRelay: { uuid, licenceKey: server.publicKey } })));
  return socket;
}

/** Sends `data` in pieces of odd sizes, then its end. */
async function send(socket: Socket, data: Buffer, i = 0): Promise<void> {
  for (let at = 0, size = 1; at < data.length; at += size, size = ((size * 7) % (i % 2 === 0 ? 300_000 : 15_000)) + 1)
    if (!socket.write(data.subarray(at, at + size))) await new Promise((resolve) => socket.once('drain', resolve));
  socket.end();
}

/** Reads to the end; `stops`: pauses after each chunk until the event loop has turned some times. */
function digest(socket: Socket, stops: number): Promise<string> {
  const hash = createHash('sha256');
  return new Promise((resolve, reject) => {
    socket.on('data', (chunk) => {
      hash.update(chunk);
      if (stops === 0) return;
      socket.pause();
      let left = stops;
      const turn = (): void => void (--left > 0 ? setImmediate(turn) : socket.resume());
      setImmediate(turn);
    });
    socket.once('end', () => resolve(hash.digest('hex')));
    socket.once('error', reject);
  });
}

it('delivers every byte of many busy sessions in both directions, to slow readers too', async () => {
  await Promise.all(
    Array.from({ length: 8 }, async (_, i) => {
      const [a, b] = [join2(`bulk-${i}`), join2(`bulk-${i}`)];
      const [toB, toA] = [randomBytes(6_000_000 + i), randomBytes(i % 2 === 0 ? 10 : 3_000_000)];
      const received = [digest(b, i % 3), digest(a, i % 4)];
      await Promise.all([send(a, toB, i), send(b, toA, i)]);
      expect(await Promise.all(received)).toEqual([toB, toA].map((data) => createHash('sha256').update(data).digest('hex')));
    }),
  );
  await until(() => server.stats()['connections'] === 0);
});

it('counts a session that is cut as gone', async () => {
  const [a, b] = [join2('cut'), join2('cut')];
  a.on('error', () => {});
  b.on('error', () => {});
  await new Promise<void>((resolve) => {
    b.once('data', () => resolve());
    a.write('x');
  });
  expect(server.stats()['connections']).toBe(2);
  b.resume();
  a.resetAndDestroy();
  b.end();
  await until(() => server.stats()['connections'] === 0);
});

it('moves a connection with what it has read already, and leaves one alone that it cannot move', async () => {
  const accepted = new Promise<Socket>((resolve) => {
    const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      listener.close();
      resolve(socket);
    }).listen(0, '127.0.0.1', () => {
      const address = listener.address();
      const client = connect({ host: '127.0.0.1', port: address !== null && typeof address === 'object' ? address.port : 0 });
      client.write('one ');
      setImmediate(() => client.end('two'));
    });
  });
  const old = await accepted;
  old.unshift(Buffer.from('zero '));
  const chunks: string[] = [];
  const buffers = new ReadBuffers(1024, 1);
  const moved = adoptSocket(old, { buffer: () => buffers.shared, onBytes: (bytes) => chunks.push(String(bytes)) });
  expect(moved?.early.map(String)).toEqual(['zero ']);
  const socket = moved?.socket ?? old;
  const ended = new Promise((resolve) => socket.once('end', resolve));
  socket.resume();
  await ended;
  expect(chunks.join('')).toBe('one two');
  expect(adoptSocket(socket, { buffer: () => buffers.shared, onBytes: () => {} })).toBeNull();
  const closed = new Promise((resolve) => old.once('close', resolve));
  socket.end();
  await closed;
});
