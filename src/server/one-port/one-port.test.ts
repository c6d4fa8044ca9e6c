/** The single port over real sockets: everything that the classic ports serve, told apart by its first bytes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { freePorts } from '../../../test/lib/ports.ts';
import { VirtualClock } from '../../core/clock.ts';
import { decodeRendezvous, encodeFrame, encodeRendezvous, hbb } from '../../core/wire/index.ts';
import { type RunningServer, type ServerOptions, startServer } from '../index.ts';
import { ask, nextMessage, type TestClient, testClient, testWsClient, udpClient } from '../test-wire.ts';
import { FIRST_CERTIFICATE, SECOND_CERTIFICATE, writeCertificate } from './test-certificates.ts';

const ID = '123456789';
const UUID = new Uint8Array(Buffer.from('a machine'));
const PK = new Uint8Array(32).fill(7);
const SESSION = '0e8a4a2c-8a52-4b1c-8d2f-3d8b7b1f7a11';

let dir: string;
let server: RunningServer;
let port: number;
let closers: (() => void)[];

async function start(options: Partial<ServerOptions> = {}): Promise<void> {
  port = await freePorts();
  server = await startServer({
    dataDir: dir,
    ports: { rendezvous: 0, single: port },
    tls: writeCertificate(dir),
    ...options,
  });
}

type Via = 'tcp' | 'tls' | 'ws' | 'wss';
const VIAS: readonly Via[] = ['tcp', 'tls', 'ws', 'wss'];

async function plain(from = '127.0.0.51'): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from, allowHalfOpen: true });
  await new Promise<void>((resolve) => socket.once('connect', resolve));
  closers.push(() => socket.destroy());
  return socket;
}

async function open(via: Via, what: { path?: string; raw?: boolean; from?: string } = {}): Promise<TestClient> {
  if (via === 'ws' || via === 'wss') {
    const ws = new WebSocket(`${via}://127.0.0.1:${port}${what.path ?? '/'}`, {
      rejectUnauthorized: false,
      localAddress: what.from ?? '127.0.0.51',
    });
    closers.push(() => ws.terminate());
    return await testWsClient(ws);
  }
  const socket = await plain(what.from);
  if (via === 'tcp') return testClient(socket, what.raw);
  const tls = connectTls({ socket, rejectUnauthorized: false });
  await new Promise<void>((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
  return testClient(tls, what.raw);
}


beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-one-port-'));
  closers = [];
});
afterEach(async () => {
  for (const close of closers) close();
  await server.close();
  rmSync(dir, { recursive: true });
});

describe.each(VIAS)('over %s', (via) => {
  it('registers, answers NAT tests and online queries, and introduces', async () => {
    await start();
    const peer = await open(via, { path: '/ws/id', from: '127.0.0.52' });
    const registered = await ask(peer, { registerPk: { id: ID, uuid: UUID, pk: PK } });
    expect(registered?.registerPkResponse).toMatchObject({ result: hbb.RegisterPkResponse.Result.OK, keepAlive: 60 });

    const nat = await ask(await open(via), { testNatRequest: { serial: 3 } });
    expect(nat?.testNatResponse?.port).toBeGreaterThan(0);
    const online = await ask(await open(via), { onlineRequest: { id: 'me', peers: [ID, 'nobody', ID] } });
    expect([...(online?.onlineResponse?.states ?? [])]).toEqual([0b10100000]);

    const controller = await open(via);
    controller.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: server.publicKey } }));
    const punch = (await nextMessage(peer))?.punchHole;
    // The relay is named, with this very port: the one behind it is not there.
    expect(punch?.relayServer).toBe(`127.0.0.1:${port}`);
    const answer = await open(via, { from: '127.0.0.52' });
    answer.send(
      encodeRendezvous({
        relayResponse: {
          socketAddr: punch?.socketAddr ?? null,
          id: ID,
          uuid: SESSION,
          // What a computer names by itself when it was told nothing.
          relayServer: `127.0.0.1:${port + 1}`,
          version: '1.4.6',
        },
      }),
    );
    const response = (await nextMessage(controller))?.relayResponse;
    expect(response).toMatchObject({ uuid: SESSION, relayServer: `127.0.0.1:${port}` });
    expect(response?.pk?.length).toBeGreaterThan(64);
  });

  it.each(VIAS)('relays to %s, bytes both ways', async (other) => {
    await start({ openRelay: true });
    const ends = await Promise.all([via, other].map((how) => open(how, { path: '/ws/relay' })));
    const [a, b] = ends as [TestClient, TestClient];
    a.send(encodeRendezvous({ requestRelay: { licenceKey: server.publicKey, id: ID, uuid: SESSION } }));
    b.send(encodeRendezvous({ requestRelay: { licenceKey: server.publicKey, uuid: SESSION } }));
    b.send(Buffer.from('from b'));
    expect(Buffer.from((await a.inbox.next()) ?? []).toString()).toBe('from b');
    const large = Buffer.alloc(700_000, 'x');
    a.send(large);
    expect(Buffer.compare((await b.inbox.next()) ?? Buffer.alloc(0), large)).toBe(0);
  });

  it('tells a request for a relay from one at the relay where no path says it', async () => {
    await start({ openRelay: true });
    const peer = await open(via, { from: '127.0.0.52' });
    await ask(peer, { registerPk: { id: ID, uuid: UUID, pk: PK } });
    const controller = await open(via);
    const request = { id: ID, uuid: SESSION, relayServer: `127.0.0.1:${port}`, secure: true };
    controller.send(encodeRendezvous({ requestRelay: request }));
    expect((await nextMessage(peer))?.requestRelay).toMatchObject({ uuid: SESSION, secure: true });
    const [a, b] = await Promise.all([open(via), open(via)]);
    a?.send(encodeRendezvous({ requestRelay: { licenceKey: server.publicKey, id: ID, uuid: SESSION } }));
    b?.send(encodeRendezvous({ requestRelay: { licenceKey: server.publicKey, uuid: SESSION } }));
    b?.send(Buffer.from('joined'));
    expect(Buffer.from((await a?.inbox.next()) ?? []).toString()).toBe('joined');
  });
});

it('takes a request for a relay that looks like one at the relay for what it is, by what has passed', async () => {
  await start();
  const peer = await open('tcp', { from: '127.0.0.52' });
  await ask(peer, { registerPk: { id: ID, uuid: UUID, pk: PK } });
  const request = { requestRelay: { id: ID, uuid: SESSION, licenceKey: server.publicKey } };
  (await open('tls')).send(encodeRendezvous(request));
  const pushed = (await nextMessage(peer))?.requestRelay;
  expect(pushed?.uuid).toBe(SESSION);
  const answer = await open('tcp', { from: '127.0.0.52' });
  answer.send(encodeRendezvous({ relayResponse: { socketAddr: pushed?.socketAddr ?? null, version: '1.4.6' } }));
  const [a, b] = await Promise.all([open('tls'), open('tcp', { from: '127.0.0.52' })]);
  a.send(encodeRendezvous(request));
  b.send(encodeRendezvous({ requestRelay: { uuid: SESSION, licenceKey: server.publicKey } }));
  b.send(Buffer.from('joined'));
  expect(Buffer.from((await a.inbox.next()) ?? []).toString()).toBe('joined');
});

it('finds itself ready', async () => {
  await start();
  expect(await server.ready()).toMatchObject({ ok: true });
});

it('greets a client that waits for the key exchange, also inside TLS', async () => {
  await start({ limits: { onePortGreetingMs: 20 } });
  for (const via of ['tcp', 'tls'] as const)
    expect((await nextMessage(await open(via)))?.keyExchange?.keys, via).toHaveLength(1);
});

it('serves UDP at the same port', async () => {
  await start();
  const client = await udpClient(port);
  closers.push(() => client.destroy());
  expect((await ask(client, { registerPeer: { id: ID } }))?.registerPeerResponse?.requestPk).toBe(true);
});

function get(path: string, tls: boolean): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        path,
        host: '127.0.0.1',
        createConnection: () =>
          tls ? connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false }) : connect({ host: '127.0.0.1', port }),
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    outgoing.on('error', reject).end();
  });
}

it('gives HTTP requests to those who answer them, with and without TLS', async () => {
  await start({
    httpHandlers: [
      () => false,
      (incoming, response, origin) => {
        if (incoming.url !== '/healthz') return false;
        response.end(JSON.stringify(origin));
        return true;
      },
    ],
  });
  for (const tls of [false, true]) {
    const { status, body } = await get('/healthz', tls);
    expect({ status, origin: JSON.parse(body) }).toEqual({ status: 200, origin: { host: '127.0.0.1', port: expect.any(Number), tls, forwarded: false } });
    expect((await get('/elsewhere', tls)).status).toBe(404);
    expect((await get('/ws/id', tls)).status).toBe(426);
  }
});

it('uses a new certificate without a restart, and keeps the old one while the files do not fit', async () => {
  await start();
  const shown = async (): Promise<string | undefined> => {
    const tls = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false });
    await new Promise<void>((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
    const { subject } = tls.getPeerCertificate();
    tls.destroy();
    return String(subject.CN);
  };
  expect(await shown()).toBe(FIRST_CERTIFICATE.name);
  writeFileSync(join(dir, 'tls.crt'), SECOND_CERTIFICATE.cert);
  await server.reload();
  expect(await shown()).toBe(FIRST_CERTIFICATE.name);
  writeFileSync(join(dir, 'tls.key'), SECOND_CERTIFICATE.key);
  await server.reload();
  expect(await shown()).toBe(SECOND_CERTIFICATE.name);
});

it('looks at the certificate by itself now and then', async () => {
  const clock = new VirtualClock();
  const events: string[] = [];
  await start({ clock, log: (_level, event) => events.push(event) });
  writeCertificate(dir, SECOND_CERTIFICATE);
  const limit = performance.now() + 20_000;
  while (!events.includes('certificate-reloaded') && performance.now() < limit) {
    clock.advance(5_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(events).toContain('certificate-reloaded');
});

it('the classic WebSocket ports take TLS too', async () => {
  await start({ ports: { rendezvous: -1 } });
  for (const name of ['ws', 'relayWs'] as const) {
    port = server.ports[name];
    const client = await open('wss');
    client.send(encodeRendezvous({ testNatRequest: {} }));
    const answer = await client.inbox.next();
    expect(answer && decodeRendezvous(answer).testNatResponse?.port, name).toEqual(name === 'ws' ? expect.any(Number) : null);
  }
});

it('takes the first frame in pieces, and a half-closed request still gets its answer', async () => {
  await start();
  const socket = await plain();
  const client = testClient(socket);
  for (const byte of encodeFrame(encodeRendezvous({ testNatRequest: { serial: 1 } }))) {
    socket.write(Uint8Array.of(byte));
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  expect((await nextMessage(client))?.testNatResponse?.port).toBe(client.localPort);
});

it('takes an online query whose header looks like TLS', async () => {
  await start();
  const peers: string[] = [];
  const message = (): Uint8Array => encodeRendezvous({ onlineRequest: { id: 'me', peers } });
  while (message().length < 16_581 - 16) peers.push('123456789');
  peers.push('x'.repeat(16_581 - message().length - 2));
  expect(Buffer.from(encodeFrame(message())).subarray(0, 2).toString('hex')).toBe('1603');
  const online = await ask(await open('tcp'), { onlineRequest: { id: 'me', peers } });
  expect(online?.onlineResponse?.states).toHaveLength(Math.ceil(peers.length / 8));
});

it('keeps the classic ports beside it, and names the relay that each can reach', async () => {
  await start({ ports: { rendezvous: -1, single: await freePorts() } });
  port = server.ports.rendezvous;
  const peer = await open('tcp', { from: '127.0.0.52' });
  await ask(peer, { registerPk: { id: ID, uuid: UUID, pk: PK } });
  const classic = await open('tcp');
  classic.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: server.publicKey } }));
  expect((await nextMessage(peer))?.punchHole?.relayServer).toBe('');
  port = server.ports.single;
  const single = await open('tls');
  single.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: server.publicKey } }));
  expect((await nextMessage(peer))?.punchHole?.relayServer).toBe(`127.0.0.1:${port}`);
});
