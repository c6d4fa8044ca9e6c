import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import type { LinkClose } from '../core/link.ts';
import { createPunchSocket, type KcpLink, type PunchUdpOptions, punchUdp, sendPunch } from './kcp-link.ts';
import { linkCompliance } from './link-compliance.ts';

const open: KcpLink[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const link of open.splice(0)) link.destroy();
  for (const socket of sockets.splice(0)) socket.close();
});

async function bound(): Promise<Socket> {
  const socket = createPunchSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}
const at = (socket: Socket): { host: string; port: number } => ({
  host: '127.0.0.1',
  port: socket.address().port,
});

async function pair(options: Partial<PunchUdpOptions> = {}): Promise<[KcpLink, KcpLink]> {
  const [a, b] = [await bound(), await bound()];
  const links = await Promise.all([
    punchUdp({ socket: a, remote: at(b), role: 'connector', ...options }),
    punchUdp({ socket: b, remote: at(a), role: 'acceptor', ...options }),
  ]);
  open.push(...links);
  return links;
}

linkCompliance('KcpLink', async () => [...(await pair()), () => {}]);

/** Collects what a link delivers. */
function watch(link: KcpLink): {
  frames: Uint8Array[];
  closed: Promise<LinkClose>;
  got(count: number): Promise<void>;
  drained(): Promise<void>;
} {
  const frames: Uint8Array[] = [];
  let wake = (): void => {};
  let drain = (): void => {};
  let end: (close: LinkClose) => void = () => {};
  const closed = new Promise<LinkClose>((resolve) => {
    end = resolve;
  });
  link.setHandlers({
    onFrame: (payload) => {
      frames.push(payload);
      wake();
    },
    onDrain: () => drain(),
    onClose: (close) => end(close),
  });
  return {
    frames,
    closed,
    got: (count) =>
      new Promise((resolve) => {
        wake = () => {
          if (frames.length >= count) resolve();
        };
        wake();
      }),
    drained: () =>
      new Promise((resolve) => {
        drain = resolve;
      }),
  };
}

test('frames of all sizes arrive in order, both ways', async () => {
  const [a, b] = await pair();
  expect(a.transport).toBe('kcp');
  expect(a.remoteAddress).toBe(b.localAddress);
  const [seenA, seenB] = [watch(a), watch(b)];
  const sizes = [0, 1, 63, 64, 1176, 1177, 16384, 300_000];
  for (const size of sizes) {
    a.send(new Uint8Array(size).fill(size & 0xff));
    b.send(new Uint8Array(size).fill(size & 0xff));
  }
  await Promise.all([seenA.got(sizes.length), seenB.got(sizes.length)]);
  for (const seen of [seenA, seenB]) {
    expect(seen.frames.map((f) => f.length)).toEqual(sizes);
    expect(seen.frames.every((f) => f.every((x) => x === (f.length & 0xff)))).toBe(true);
  }
  expect([a.stats.framesIn, a.stats.framesOut]).toEqual([sizes.length, sizes.length]);
  expect(a.stats.bytesIn).toBe(b.stats.bytesOut);
});

test('back-pressure: send says no, a paused receiver holds the sender, drain follows', async () => {
  const [a, b] = await pair();
  const [seenA, seenB] = [watch(a), watch(b)];
  b.pause();
  const frame = new Uint8Array(64 * 1024);
  let count = 1;
  while (a.send(frame)) count++;
  // As much as may wait before it is known what the path carries.
  expect(a.bufferedBytes).toBeGreaterThanOrEqual(64 * 1024);
  const drained = seenA.drained();
  // More than both windows hold: only the resumed reader lets it out.
  for (let i = 0; i < 40; i++, count++) a.send(frame);
  expect(seenB.frames).toHaveLength(0);
  b.resume();
  await drained;
  expect(a.bufferedBytes).toBeLessThanOrEqual(256 * 1024);
  await seenB.got(count);
});

test('close() delivers what was sent before', async () => {
  const [a, b] = await pair();
  const [seenA, seenB] = [watch(a), watch(b)];
  for (let i = 0; i < 20; i++) a.send(new Uint8Array(50_000));
  a.close();
  expect(a.closed).toBe(true);
  expect(a.send(new Uint8Array(1))).toBe(false);
  expect((await seenB.closed).by).toBe('remote');
  expect(seenB.frames).toHaveLength(20);
  expect((await seenA.closed).by).toBe('local');
});

test('each side may close, and may destroy', async () => {
  const [a, b] = await pair();
  const [seenA, seenB] = [watch(a), watch(b)];
  b.close();
  expect((await seenA.closed).by).toBe('remote');
  expect((await seenB.closed).by).toBe('local');
  const [c, d] = await pair();
  const [seenC, seenD] = [watch(c), watch(d)];
  c.destroy();
  expect((await seenC.closed).by).toBe('local');
  expect((await seenD.closed).by).not.toBe('local');
});

test('frames and the close which come before anybody listens are kept', async () => {
  const [a, b] = await pair();
  a.send(Uint8Array.of(1));
  a.send(Uint8Array.of(2));
  const seenA = watch(a);
  a.close();
  await seenA.closed;
  const seenB = watch(b);
  expect((await seenB.closed).by).toBe('remote');
  expect(seenB.frames.map((f) => f[0])).toEqual([1, 2]);
});

test('a frame larger than allowed breaks the link', async () => {
  const [a, b] = await pair({ link: { maxPayload: 1000 } });
  watch(a);
  const seenB = watch(b);
  a.send(new Uint8Array(1001));
  const close = await seenB.closed;
  expect(close.by).toBe('error');
  expect(close.error).toMatchObject({ code: 'LINK_PROTOCOL' });
});

test('raw mode: bytes behind the last frame are part of the stream, both ways, until it ends', async () => {
  const [a, b] = await pair();
  const seenA = watch(a);
  const rawB = new Promise<ReturnType<KcpLink['takeRaw']>>((resolve) => {
    b.setHandlers({
      onFrame: () => resolve(b.takeRaw()),
      onClose: () => {},
    });
  });
  a.send(Uint8Array.of(9));
  const rawA = a.takeRaw();
  const big = Buffer.alloc(3_000_000, 'raw bytes ');
  rawA.write(big);
  const far = await rawB;
  const chunks: Buffer[] = [];
  let size = 0;
  far.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    size += chunk.length;
    if (size === big.length) far.write('thanks');
  });
  const [answer] = (await once(rawA, 'data')) as [Buffer];
  expect(answer.toString()).toBe('thanks');
  expect(Buffer.concat(chunks).equals(big)).toBe(true);
  const ended = once(far, 'end');
  rawA.end();
  await ended;
  expect(seenA.frames).toHaveLength(0);
  expect(a.closed).toBe(true);
});

test('datagrams from other addresses neither end the punch nor reach the link', async () => {
  const [a, b, stranger] = [await bound(), await bound(), createSocket('udp4')];
  sockets.push(stranger);
  const connector = punchUdp({ socket: a, remote: at(b), role: 'connector' });
  // The left-over of a NAT test, from the rendezvous server.
  stranger.send(Buffer.from('aa010408d5b302', 'hex'), a.address().port, '127.0.0.1');
  await once(b, 'message');
  const links = await Promise.all([connector, punchUdp({ socket: b, remote: at(a), role: 'acceptor' })]);
  open.push(...links);
  const seen = watch(links[1]);
  links[0].send(Uint8Array.of(5));
  await seen.got(1);
});

test('sendPunch leaves first, and punchUdp does not repeat it', async () => {
  const [a, b] = [await bound(), await bound()];
  const arrived = once(a, 'message');
  await sendPunch(b, at(a));
  expect(((await arrived) as [Buffer])[0]).toHaveLength(0);
  open.push(
    ...(await Promise.all([
      punchUdp({ socket: b, remote: at(a), role: 'acceptor', firstSent: true }),
      punchUdp({ socket: a, remote: at(b), role: 'connector' }),
    ])),
  );
});

test('allowPortChange follows the peer to the port it really has', async () => {
  const [a, b, unused] = [await bound(), await bound(), await bound()];
  const wrong = at(unused);
  sockets.push(unused);
  open.push(
    ...(await Promise.all([
      punchUdp({ socket: a, remote: wrong, role: 'connector', allowPortChange: true }),
      punchUdp({ socket: b, remote: at(a), role: 'acceptor' }),
    ])),
  );
  expect(open[0]?.remoteAddress).toBe(open[1]?.localAddress);
});

test('a peer that never answers, one that is not there, and an abort', async () => {
  const silent = await bound();
  sockets.push(silent);
  await expect(
    punchUdp({ socket: await bound(), remote: at(silent), role: 'connector', timeoutMs: 50 }),
  ).rejects.toMatchObject({ code: 'PUNCH_TIMEOUT', stage: 'punch' });

  const gone = await bound();
  const remote = at(gone);
  gone.close();
  await expect(punchUdp({ socket: await bound(), remote, role: 'connector' })).rejects.toMatchObject({
    code: 'PUNCH_REFUSED',
  });

  const controller = new AbortController();
  const aborted = punchUdp({
    socket: await bound(),
    remote: at(silent),
    role: 'acceptor',
    signal: controller.signal,
  });
  controller.abort();
  await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
});
