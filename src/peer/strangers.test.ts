/** What people who have not logged in can cost a peer, through its real port on the loopback. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, test } from 'vitest';
import { freePorts } from '../../test/lib/ports.ts';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { encodeFrame, encodeMessage, frameHeader } from '../core/wire/index.ts';
import { MAX_STRANGERS_PER_ADDRESS } from './admission.ts';
import { Peer } from './peer.ts';

const MIB = 1024 * 1024;
const PASSWORD = 'correct horse battery';

const cleanup: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of cleanup.splice(0).reverse()) await step();
});

async function openPeer(): Promise<{ peer: Peer; port: number }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'litedesk-strangers-'));
  cleanup.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const port = await freePorts();
  const peer = await Peer.open({ dataDir, desktop: null, overrides: { permanentPassword: PASSWORD } });
  await peer.changeSettings({ lanDiscovery: false, directAccess: true, directAccessPort: port });
  peer.start();
  cleanup.push(() => peer.stop());
  return { peer, port };
}

/** A connection of a stranger; `greeted` once the host has said its first word, `closed` when the host ended it. */
async function stranger(port: number): Promise<{ socket: Socket; greeted: Promise<boolean>; closed: Promise<void> }> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const greeted = Promise.race([once(socket, 'data').then(() => true), closed.then(() => false)]);
  greeted.catch(() => {});
  await once(socket, 'connect');
  socket.resume();
  return { socket, greeted, closed };
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
/** Bytes alive after a collection, buffers included. */
function alive(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** What stays alive beyond `limit` bytes however often is collected: sockets that were just closed need some turns to go. */
async function staysAlive(limit: number): Promise<number> {
  let bytes = alive();
  for (let turn = 0; turn < 100 && bytes > limit; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    bytes = alive();
  }
  return bytes;
}

const rubbish = (size: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, n) => Math.imul(n + seed, 2654435761) >>> 24);

test('10,000 hostile frames leave nothing behind, and the door open', async () => {
  const { peer, port } = await openPeer();
  const login = encodeMessage({ loginRequest: { username: peer.id, password: new Uint8Array(32), myId: 'x'.repeat(200_000) } });
  const kinds: ((n: number) => Uint8Array)[] = [
    (n) => encodeFrame(rubbish(1 + ((n * 37) % 2000), n)),
    (n) => {
      const mutated = login.slice(0, 40 + ((n * 97) % 4000));
      mutated[n % mutated.length] = n & 255;
      return encodeFrame(mutated);
    },
    () => encodeFrame(new Uint8Array(0)),
    // Announces a quarter of a gigabyte and is never finished: the last thing on its connection.
    (n) => Buffer.concat([frameHeader(256 * MIB), rubbish(30_000, n)]),
  ];
  const flood = async (from: number, to: number): Promise<void> => {
    for (let n = from; n < to; ) {
      const { socket, closed } = await stranger(port);
      for (let i = 0; i < 100 && n < to; i++, n++) {
        const kind = kinds[i === 99 ? 3 : n % 3];
        if (kind) socket.write(kind(n));
      }
      socket.end();
      await closed;
    }
  };
  await flood(0, 1_000);
  const before = alive();
  await flood(1_000, 10_000);
  const limit = before + 8 * MIB;
  expect(await staysAlive(limit)).toBeLessThan(limit);

  const connected = await peer.connect(`127.0.0.1:${port}`, {
    signal: AbortSignal.timeout(20_000),
    password: PASSWORD,
    allowPlaintext: true,
  });
  const opened = new Promise<void>((resolve) => connected.session.on('opened', () => resolve()));
  connected.session.start();
  await opened;
  connected.session.close();
}, 60_000);

test('an announced frame beyond the limit ends the connection before it is held', async () => {
  const { port } = await openPeer();
  const { socket, closed } = await stranger(port);
  socket.write(frameHeader(PAYLOAD_LIMITS.login + 1));
  await closed;
  const second = await stranger(port);
  expect(await second.greeted).toBe(true);
  second.socket.destroy();
});

test('one address gets a few connections that have not logged in, each holding at most one small frame', async () => {
  const { port } = await openPeer();
  const before = alive();
  const all = await Promise.all(Array.from({ length: 100 }, () => stranger(port)));
  const greeted = await Promise.all(all.map((entry) => entry.greeted));
  expect(greeted.filter(Boolean)).toHaveLength(MAX_STRANGERS_PER_ADDRESS);
  const staying = all.filter((_, n) => greeted[n]);
  // A frame as large as it may be, but for its last byte: the most that can be made to wait.
  const almost = Buffer.concat([frameHeader(PAYLOAD_LIMITS.login), new Uint8Array(PAYLOAD_LIMITS.login - 1)]);
  await Promise.all(staying.map(({ socket }) => new Promise((resolve) => socket.write(almost, resolve))));
  expect(alive() - before).toBeLessThan(3 * MIB * MAX_STRANGERS_PER_ADDRESS);
  for (const { socket } of staying) socket.destroy();
  await Promise.all(staying.map(({ closed }) => closed));
  for (let more = true; more; ) {
    // The host hears of the end a moment later than we do.
    const next = await stranger(port);
    more = !(await next.greeted);
    next.socket.destroy();
  }
}, 30_000);
