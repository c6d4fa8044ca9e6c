/** Clients that mean no good, at every port and every stage of a connection; and what a PROXY header may say. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../../test/lib/ports.ts';
import { until } from '../../../test/lib/until.ts';
import { VirtualClock } from '../../core/clock.ts';
import { encodeFrame, encodeRendezvous, unmangleAddress } from '../../core/wire/index.ts';
import { DEFAULT_LIMITS, type RunningServer, type ServerOptions, startServer } from '../index.ts';
import type { ServerPorts } from '../ports.ts';
import { ask, nextMessage, testClient, wsClient } from '../test-wire.ts';
import { writeCertificate } from './test-certificates.ts';

const ID = '123456789';
const UUID = new Uint8Array(Buffer.from('a machine'));
const PK = new Uint8Array(32).fill(7);
const PROXY = '127.0.0.9';

let dir: string;
let server: RunningServer;
let clock: VirtualClock;
let closers: (() => void)[];

async function start(options: Partial<ServerOptions> = {}): Promise<void> {
  clock = new VirtualClock();
  server = await startServer({
    dataDir: dir,
    ports: { rendezvous: -1, single: await freePorts() },
    tls: writeCertificate(dir),
    trustedProxies: [PROXY],
    proxyProtocol: true,
    clock,
    ...options,
  });
}

async function plain(port: number, from = '127.0.0.51'): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from, allowHalfOpen: true });
  socket.on('error', () => {});
  closers.push(() => socket.destroy());
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  return socket;
}
async function secured(port: number): Promise<Socket> {
  const tls = connectTls({ socket: await plain(port), rejectUnauthorized: false });
  await new Promise<void>((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
  return tls;
}
const connections = (): number => server.stats()['connections'] ?? 0;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-faults-'));
  closers = [];
});
afterEach(async () => {
  for (const close of closers) close();
  await server.close();
  rmSync(dir, { recursive: true });
});

const HALF_FRAME = encodeFrame(encodeRendezvous({ requestRelay: { id: ID, uuid: 'u'.repeat(60) } })).subarray(0, 40);
/** A record header that announces 512 bytes of ClientHello, and the first of them. */
const HALF_HELLO = Buffer.from('160301020001000100', 'hex');
const HALF_HTTP = Buffer.from('GET /ws/id HTTP/1.1\r\nHost: desk.example\r\nX-Slow: ');
const HALF_PROXY_1 = Buffer.from('PROXY TCP4 203.0.113.7 ');
const HALF_PROXY_2 = Buffer.from('0d0a0d0a000d0a515549540a2111', 'hex');

describe('a client that goes no further', () => {
  const PORTS: readonly (keyof ServerPorts)[] = ['rendezvous', 'natTest', 'relay', 'ws', 'relayWs', 'single'];
  const STAGES: readonly [string, Buffer | Uint8Array, string?][] = [
    ['nothing', Buffer.alloc(0)],
    ['half a frame', HALF_FRAME],
    ['half a TLS handshake', HALF_HELLO],
    ['half an HTTP header', HALF_HTTP],
    ['half a PROXY header, version 1', HALF_PROXY_1, PROXY],
    ['half a PROXY header, version 2', HALF_PROXY_2, PROXY],
  ];

  it.each(PORTS)('is dropped at the %s port, whatever it has begun, and however slowly it goes on', async (name) => {
    await start();
    const port = server.ports[name];
    const silent = await Promise.all(
      STAGES.map(async ([, bytes, from]) => {
        const socket = await plain(port, from);
        socket.write(bytes);
        return testClient(socket, true);
      }),
    );
    const inTls = name === 'ws' || name === 'relayWs' || name === 'single';
    if (inTls)
      for (const bytes of [Buffer.alloc(0), HALF_HTTP]) {
        const socket = await secured(port);
        socket.write(bytes);
        silent.push(testClient(socket, true));
      }
    const ended = Promise.all(silent.map(async ({ inbox }) => { while ((await inbox.next()) !== null); }));
    let gone = false;
    void ended.then(() => (gone = true));
    // A byte now and then changes nothing: only what is whole counts. Garbage may have been cut before.
    await until(() => {
      clock.advance(1_000);
      for (const client of silent) client.sendRaw(Buffer.from('a'));
      return gone && connections() === 0;
    });
    const { handshakeTimeoutMs, frameTimeoutMs } = DEFAULT_LIMITS;
    // Some turns may pass until a socket's end is seen here.
    expect(clock.now()).toBeLessThan(5 * (handshakeTimeoutMs + frameTimeoutMs));
  });

  it('is dropped after its WebSocket handshake', async () => {
    await start();
    const { ws, relayWs, single } = server.ports;
    const clients = await Promise.all([
      wsClient(ws),
      wsClient(relayWs),
      ...['/', '/ws/id', '/ws/relay'].map((path) => wsClient(single, { path })),
    ]);
    closers.push(...clients.map((client) => () => client.destroy()));
    await until(() => connections() === clients.length);
    clock.advance(DEFAULT_LIMITS.frameTimeoutMs);
    for (const client of clients) expect(await client.inbox.next()).toBeNull();
  });

  it('does not keep a connection by asking for pages one header at a time', async () => {
    await start();
    const socket = await plain(server.ports.single);
    const client = testClient(socket, true);
    socket.write('GET /healthz HTTP/1.1\r\nHost: desk.example\r\n\r\n');
    expect(Buffer.from((await client.inbox.next()) ?? []).toString()).toContain('200 OK');
    socket.write('GET /healthz HTTP/1.1\r\nX-Slow: ');
    const ended = (async () => { while ((await client.inbox.next()) !== null); })();
    await until(() => connections() === 1);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    clock.advance(DEFAULT_LIMITS.handshakeTimeoutMs);
    await ended;
  });
});

describe('thousands that say nothing', () => {
  const N = 5_000;
  const legitimate = async (from: string): Promise<void> => {
    const peer = testClient(await plain(server.ports.rendezvous, '127.0.0.52'));
    expect((await ask(peer, { registerPk: { id: ID, uuid: UUID, pk: PK } }))?.registerPkResponse?.result).toBe(0);
    const controller = testClient(await secured(server.ports.single));
    controller.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: server.publicKey } }));
    expect((await nextMessage(peer))?.punchHole).toBeTruthy();
    const neighbour = testClient(await plain(server.ports.single, from));
    expect((await ask(neighbour, { testNatRequest: {} }))?.testNatResponse?.port).toBe(neighbour.localPort);
  };
  const flood = async (from: (i: number) => string, port: number): Promise<void> => {
    for (let i = 0; i < N; i += 100)
      await Promise.all(
        Array.from({ length: 100 }, async (_, j) => {
          const socket = await plain(port, from(i + j));
          if (j % 2) socket.write(HALF_HELLO.subarray(0, 3));
        }),
      );
  };

  it.each([
    ['from many addresses', (i: number) => `127.1.${i % 40}.1`],
    ['from one address', () => '127.1.0.1'],
  ])(`${N} half-open connections %s do not keep others out`, async (_name, from) => {
    await start({ clock: new VirtualClock() });
    await flood(from, server.ports.single);
    await until(() => connections() <= DEFAULT_LIMITS.maxHalfOpen);
    await legitimate(from(0));
    expect(server.stats()['connection-half-open']).toBeGreaterThanOrEqual(N - DEFAULT_LIMITS.maxHalfOpen);
  });
});

describe('a PROXY header', () => {
  const header = (source: string, port: number): string => `PROXY TCP4 ${source} 198.51.100.1 ${port} 443\r\n`;
  const NAT = encodeFrame(encodeRendezvous({ testNatRequest: { serial: 1 } }));

  it('from a listed proxy names the client, on every kind of port', async () => {
    await start();
    const { rendezvous, natTest, single } = server.ports;
    for (const port of [rendezvous, natTest, single]) {
      const socket = await plain(port, PROXY);
      socket.write(Buffer.concat([Buffer.from(header('203.0.113.7', 50_000)), NAT]));
      expect((await nextMessage(testClient(socket)))?.testNatResponse?.port).toBe(50_000);
    }
    // And inside it TLS.
    const socket = await plain(single, PROXY);
    socket.write(header('203.0.113.7', 50_001));
    const tls = connectTls({ socket, rejectUnauthorized: false });
    expect((await ask(testClient(tls), { testNatRequest: {} }))?.testNatResponse?.port).toBe(50_001);
  });

  it('decides what others are told', async () => {
    await start();
    const peer = testClient(await plain(server.ports.single, '127.0.0.52'));
    await ask(peer, { registerPk: { id: ID, uuid: UUID, pk: PK } });
    const socket = await plain(server.ports.single, PROXY);
    socket.write(header('203.0.113.7', 50_000));
    testClient(socket).send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: server.publicKey } }));
    const punch = (await nextMessage(peer))?.punchHole;
    expect(unmangleAddress(punch?.socketAddr ?? new Uint8Array())).toEqual({ host: '203.0.113.7', port: 50_000 });
  });

  it.each([
    ['rendezvous', header('1.1.1.1', 1)],
    ['relay', header('1.1.1.1', 1)],
    ['ws', header('1.1.1.1', 1)],
    ['single', header('1.1.1.1', 1)],
    ['single', '\r\n\r\n\0\r\nQUIT\n'],
  ] as const)('from anybody else is refused at the %s port, and the log says so', async (port, bytes) => {
    const lines: Record<string, unknown>[] = [];
    await start({ log: (level, event, fields) => lines.push({ level, event, ...fields }) });
    const socket = await plain(server.ports[port], '127.0.0.66');
    socket.write(Buffer.concat([Buffer.from(bytes, 'latin1'), NAT]));
    expect(await testClient(socket).inbox.next()).toBeNull();
    expect(server.stats()['proxy-header-refused']).toBe(1);
    expect(lines.filter((line) => JSON.stringify(line).includes('proxy-header-refused'))).toHaveLength(1);
  });

  it('is no more than garbage where no proxy is listed for it', async () => {
    await start({ proxyProtocol: false });
    const socket = await plain(server.ports.single, PROXY);
    socket.write(Buffer.concat([Buffer.from(header('1.1.1.1', 1)), NAT]));
    expect(await testClient(socket).inbox.next()).toBeNull();
  });

  it('comes once', async () => {
    await start();
    const socket = await plain(server.ports.single, PROXY);
    socket.write(Buffer.concat([Buffer.from(header('203.0.113.7', 1) + header('1.1.1.1', 1)), NAT]));
    expect(await testClient(socket).inbox.next()).toBeNull();
  });
});
