/** The life of a connection, frames and WebSocket messages (rendezvous §1.2, §2), on every port. */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { encodeFrame, encodeRendezvous } from '../../core/wire/index.ts';
import type { TestClient } from '../test-wire.ts';
import { A, addressIn, ask, expectClosed, expectSilentButOpen, Failure, receive, Rig, say } from './rig.ts';

const rig = Rig.forEachTest();
const NAT_TEST = encodeRendezvous({ testNatRequest: {} });

/** The server has accepted what connected before, and read what was sent before. */
async function settled(): Promise<void> {
  for (let i = 0; i < 2; i++) await ask(await rig.tcp(A), { testNatRequest: {} });
}

describe('idle connections', () => {
  it('are closed after 30 s on every port', async () => {
    await rig.startVirtual();
    const { rendezvous, natTest, relay, ws, relayWs } = rig.server.ports;
    const clients: TestClient[] = [
      await rig.tcp(A, rendezvous, true),
      await rig.tcp(A, natTest),
      await rig.tcp(A, relay),
      await rig.ws(A, { port: ws }),
      await rig.ws(A, { port: relayWs }),
    ];
    await settled();
    rig.clock.advance(29_900);
    await settled();
    expect(clients.filter((client) => client.inbox.closed)).toHaveLength(0);
    rig.clock.advance(200);
    for (const client of clients) while (await client.inbox.next());
  });

  it('live on with every whole frame, not with bytes of an unfinished one', async () => {
    await rig.startVirtual();
    const busy = await rig.tcp(A);
    const slow = await rig.tcp(A);
    const frame = encodeFrame(encodeRendezvous(rig.punch()));
    for (let i = 0; i < 4; i++) {
      expect((await ask(busy, rig.punch())).punchHoleResponse?.failure).toBe(Failure.ID_NOT_EXIST);
      slow.sendRaw(frame.subarray(i, i + 1));
      await settled();
      rig.clock.advance(9_000);
    }
    await expectSilentButOpen(busy, rig.server.publicKey);
    while (await slow.inbox.next());
  });

  it('on WebSocket live on with pings and every whole message', async () => {
    await rig.startVirtual();
    const client = await rig.ws(A);
    for (let i = 0; i < 4; i++) {
      client.ws.ping();
      await once(client.ws, 'pong');
      rig.clock.advance(20_000);
    }
    expect((await ask(client, rig.punch())).punchHoleResponse?.failure).toBe(Failure.ID_NOT_EXIST);
  });

  it('that never finish the WebSocket handshake are closed, unlike with hbbs', async () => {
    await rig.start({ limits: { handshakeTimeoutMs: 100 } });
    for (const port of [rig.server.ports.ws, rig.server.ports.relayWs]) {
      const silent = await rig.tcp(A, port, true);
      const loris = await rig.tcp(A, port, true);
      loris.sendRaw(Buffer.from('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: '));
      for (const client of [silent, loris]) while (await client.inbox.next());
    }
  });
});

describe('frames', () => {
  it('may come byte by byte, several at once, and with longer headers than needed', async () => {
    await rig.start();
    const request = encodeRendezvous(rig.punch());
    const client = await rig.tcp(A);
    for (const byte of encodeFrame(request)) client.sendRaw(new Uint8Array([byte]));
    expect((await receive(client)).union).toBe('punchHoleResponse');
    client.sendRaw(Buffer.concat([encodeFrame(request), encodeFrame(request)]));
    for (let i = 0; i < 2; i++) expect((await receive(client)).union).toBe('punchHoleResponse');
    for (const size of [2, 3, 4]) {
      const header = Buffer.alloc(size);
      header.writeUIntLE(request.length * 4 + (size - 1), 0, size);
      client.sendRaw(Buffer.concat([header, request]));
      expect((await receive(client)).union).toBe('punchHoleResponse');
    }
  });

  it('of no bytes close the connection', async () => {
    await rig.start();
    for (const port of [rig.server.ports.rendezvous, rig.server.ports.natTest, rig.server.ports.relay]) {
      const client = await rig.tcp(A, port);
      client.sendRaw(new Uint8Array([0]));
      await expectClosed(client);
    }
  });

  it('that announce more than is allowed are refused at once, and cost no memory', async () => {
    await rig.start();
    for (const port of [rig.server.ports.rendezvous, rig.server.ports.natTest, rig.server.ports.relay])
      for (const header of ['ffffffff', '03000002']) {
        const client = await rig.tcp(A, port);
        client.sendRaw(Buffer.from(header, 'hex'));
        await expectClosed(client);
      }
  });

  it('of unfinished kinds from many connections are held only up to a budget, and clients are served meanwhile', async () => {
    await rig.start({ limits: { maxBufferedBytes: 300_000, bufferedBytesAlwaysFree: 100 } });
    const header = Buffer.alloc(3);
    header.writeUIntLE(200_000 * 4 + 2, 0, 3);
    const flood: TestClient[] = [];
    for (let i = 0; i < 20; i++) {
      const client = await rig.tcp('127.0.0.66');
      client.sendRaw(Buffer.concat([header, new Uint8Array(50_000).fill(0x42)]));
      flood.push(client);
    }
    const cut = (): number => flood.filter((client) => client.inbox.closed).length;
    while (cut() < 14) expect((await ask(await rig.tcp(A), rig.punch())).union).toBe('punchHoleResponse');
    expect(cut()).toBeLessThan(20);
  });

  it('behind a half-close still get their answer', async () => {
    await rig.start();
    for (const port of [rig.server.ports.rendezvous, rig.server.ports.natTest]) {
      const client = await rig.tcp(A, port);
      client.send(NAT_TEST);
      client.end();
      expect((await receive(client)).testNatResponse?.port).toBe(client.localPort);
      await expectClosed(client);
    }
  });
});

describe('WebSocket', () => {
  it('takes any path, skips text, pings and pongs, and joins fragments', async () => {
    await rig.start();
    const client = await rig.ws(A, { path: '/ws/id?x=1' });
    client.ws.send('text');
    client.ws.ping();
    client.ws.pong();
    const request = encodeRendezvous(rig.punch());
    for (let at = 0; at < request.length; at += 20) client.ws.send(request.subarray(at, at + 20), { binary: true, fin: at + 20 >= request.length });
    expect((await receive(client)).union).toBe('punchHoleResponse');
    expect(client.inbox.size).toBe(0);
  });

  it('closes on an empty message that is no answer to a heartbeat', async () => {
    await rig.start();
    const client = await rig.ws(A);
    client.send(new Uint8Array());
    await expectClosed(client);
  });

  it('closes on a message of more than 64 KiB', async () => {
    await rig.start();
    const client = await rig.ws(A);
    client.send(new Uint8Array(65 * 1024));
    await expectClosed(client);
  });

  it.each([
    ['X-Real-IP', { 'X-Real-IP': '198.51.100.7' }, '198.51.100.7'],
    ['X-Forwarded-For', { 'X-Forwarded-For': '198.51.100.8' }, '198.51.100.8'],
    ['an IPv6 address', { 'X-Real-IP': '2001:db8::7' }, '2001:db8::7'],
    ['the last of a list', { 'X-Forwarded-For': '198.51.100.1, 198.51.100.9' }, '198.51.100.9'],
    ['a good X-Forwarded-For behind a bad X-Real-IP', { 'X-Real-IP': 'unknown', 'X-Forwarded-For': '198.51.100.8' }, '198.51.100.8'],
  ])('believes a listed proxy: %s', async (_name, headers, host) => {
    await rig.start({ trustedProxies: ['127.0.0.1'] });
    const b = await rig.peer();
    const client = await rig.ws('127.0.0.1', { headers });
    say(client, rig.punch());
    expect(addressIn((await receive(b)).punchHole?.socketAddr)).toEqual({ host, port: 0 });
  });

  it('keeps the address of the connection when no header is one, and when nobody listed sent it', async () => {
    await rig.start({ trustedProxies: ['127.0.0.1'] });
    const b = await rig.peer();
    for (const [from, headers] of [
      ['127.0.0.1', { 'X-Real-IP': 'unknown', 'X-Forwarded-For': 'nobody' }],
      [A, { 'X-Real-IP': '198.51.100.7' }],
    ] as const) {
      say(await rig.ws(from, { headers }), rig.punch());
      expect(addressIn((await receive(b)).punchHole?.socketAddr).host).toBe(from);
    }
  });
});
