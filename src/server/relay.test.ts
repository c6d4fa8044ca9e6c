/** The relay over real sockets. */
import { beforeEach, expect, it } from 'vitest';
import { until } from '../../test/lib/until.ts';
import { encodeFrame, encodeRendezvous } from '../core/wire/index.ts';
import { ServerUnderTest, closed } from './test-server.ts';
import { type TestClient, tcpClient, wsClient } from './test-wire.ts';

const rig = new ServerUnderTest();

beforeEach(async () => {
  await rig.start({
    openRelay: true,
    limits: { relayWaitMs: 300, relayPairBps: 0, relayTotalBps: 0 },
  });
});
const hello = (uuid: string): Uint8Array =>
  encodeRendezvous({ requestRelay: { uuid, licenceKey: rig.server.publicKey } });
async function join2(uuid: string, behind: Uint8Array = new Uint8Array(0), raw = true): Promise<TestClient> {
  const client = await tcpClient(rig.server.ports.relay, '127.0.0.51', raw);
  rig.track(client);
  client.sendRaw(Buffer.concat([encodeFrame(hello(uuid)), behind]));
  return client;
}
async function joinWs(uuid: string): Promise<TestClient> {
  const client = await wsClient(rig.server.ports.relayWs);
  rig.track(client);
  client.send(hello(uuid));
  return client;
}
async function readBytes(client: TestClient, count: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for (let got = 0; got < count; ) {
    const chunk = await client.inbox.next();
    if (!chunk) throw new Error(`closed after ${got} of ${count} bytes`);
    chunks.push(chunk);
    got += chunk.length;
  }
  return Buffer.concat(chunks);
}

it('pairs however closely the two come, and passes bytes unchanged both ways', async () => {
  const payload = Buffer.alloc(3_000_000, 'abcdefg');
  await Promise.all(
    Array.from({ length: 30 }, async (_, i) => {
      const [a, b] = await Promise.all([
        join2(`pair-${i}`, Buffer.from('early-a')),
        join2(`pair-${i}`, Buffer.from('early-b')),
      ]);
      expect(String(await readBytes(a, 7))).toBe('early-b');
      expect(String(await readBytes(b, 7))).toBe('early-a');
      if (i > 0) return;
      a.sendRaw(payload);
      b.sendRaw(payload);
      expect((await readBytes(b, payload.length)).equals(payload)).toBe(true);
      expect((await readBytes(a, payload.length)).equals(payload)).toBe(true);
    }),
  );
});

it('passes a half-close on and keeps the other direction', async () => {
  const a = await join2('half');
  const b = await join2('half');
  a.sendRaw(Buffer.from('question'));
  a.end();
  expect(String(await readBytes(b, 8))).toBe('question');
  expect(await b.inbox.next()).toBeNull();
  b.sendRaw(Buffer.from('answer'));
  expect(String(await readBytes(a, 6))).toBe('answer');
  b.end();
  await closed(a);
});

it('translates between frames and WebSocket messages, early ones included', async () => {
  const a = await joinWs('mixed');
  a.send(Buffer.from('early'));
  const b = await join2('mixed', Buffer.from(encodeFrame(Buffer.from('two'))), false);
  expect(await b.inbox.next()).toEqual(new Uint8Array(Buffer.from('early')));
  expect(String(await a.inbox.next())).toBe('two');
  const big = Buffer.alloc(300_000, 'x');
  a.send(big);
  expect(Buffer.from((await b.inbox.next()) ?? []).equals(big)).toBe(true);
  b.send(big);
  expect(Buffer.from((await a.inbox.next()) ?? []).equals(big)).toBe(true);
  a.end();
  await closed(b);
});

it('does not pair with one that has gone, and lets nobody wait for ever', async () => {
  const gone = await join2('same');
  await until(() => rig.server.stats().relayWaiting === 1);
  gone.destroy();
  await until(() => rig.server.stats().relayWaiting === 0);
  const a = await join2('same');
  const b = await join2('same', Buffer.from('hi'));
  expect(String(await readBytes(a, 2))).toBe('hi');
  b.destroy();
  await closed(a);
  await closed(await join2('alone'));
});

it('does not buffer without end for one that stops reading', async () => {
  const { connect } = await import('node:net');
  const stopped = connect({ host: '127.0.0.1', port: rig.server.ports.relay });
  stopped.pause();
  stopped.write(encodeFrame(hello('stopped')));
  const sender = connect({ host: '127.0.0.1', port: rig.server.ports.relay });
  sender.write(encodeFrame(hello('stopped')));
  const chunk = Buffer.alloc(1 << 20);
  const before = process.memoryUsage().external;
  let accepted = 0;
  // Once the sender's own buffer stays full while the loop turns, back-pressure has come all the way.
  for (let idle = 0; idle < 200; ) {
    if (sender.writableLength === 0) {
      sender.write(chunk);
      accepted++;
      idle = 0;
    } else idle++;
    await new Promise((resolve) => setImmediate(resolve));
    if (accepted > 64) break;
  }
  expect(accepted).toBeLessThan(64);
  expect(process.memoryUsage().external - before).toBeLessThan(64 << 20);
  sender.destroy();
  stopped.destroy();
});
