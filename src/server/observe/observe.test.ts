/** Metrics, health and access over real sockets. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { encodeRendezvous, hbb } from '../../core/wire/index.ts';
import { type RunningServer, type ServerOptions, startServer } from '../index.ts';
import type { PeerStore } from '../peer-store.ts';
import { tcpClient, udpClient } from '../test-wire.ts';
import type { ReadyReport } from './ready.ts';
import { selfTestIdentity } from './self-test-id.ts';

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function start(options: Partial<ServerOptions> = {}): Promise<{ server: RunningServer; dataDir: string; port: number }> {
  const dataDir = mkdtempSync(join(tmpdir(), 'litedesk-observe-'));
  cleanups.push(() => rmSync(dataDir, { recursive: true }));
  const server = await startServer({
    dataDir,
    ports: { rendezvous: -1 },
    http: { host: '127.0.0.1', port: 0 },
    ...options,
  });
  cleanups.push(() => server.close());
  return { server, dataDir, port: server.ports.metrics };
}

interface Answer {
  code: number;
  body: string;
  headers: Record<string, string | string[] | undefined>;
}

function get(port: number, path: string, options: { headers?: Record<string, string>; method?: string; host?: string } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: options.host ?? '127.0.0.1', port, path, method: options.method ?? 'GET', headers: options.headers ?? {}, agent: false },
      (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => resolve({ code: response.statusCode ?? 0, body, headers: response.headers }));
      },
    );
    sent.on('error', reject).end();
  });
}

/** One sample of the page, by its name with labels. */
function valueOf(text: string, name: string): number {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return line === undefined ? Number.NaN : Number(line.slice(name.length + 1));
}

async function register(port: number, id: string): Promise<void> {
  const peer = await udpClient(port);
  cleanups.push(() => peer.destroy());
  peer.send(encodeRendezvous({ registerPk: { id, uuid: Buffer.from(`uuid of ${id}`), pk: Buffer.alloc(32, 7) } }));
  await peer.inbox.next();
}

test('metrics tell peers, registrations and refusals', async () => {
  const { server, port } = await start();
  await register(server.ports.rendezvous, '123456789');
  const asker = await tcpClient(server.ports.rendezvous);
  cleanups.push(() => asker.destroy());
  asker.send(encodeRendezvous({ punchHoleRequest: { id: '123456789', licenceKey: 'wrong' } }));
  await asker.inbox.next();
  const { code, body, headers } = await get(port, '/metrics');
  expect(code).toBe(200);
  expect(headers['content-type']).toContain('text/plain');
  expect(valueOf(body, 'litedesk_peers{transport="udp",state="online"}')).toBe(1);
  expect(valueOf(body, 'litedesk_registrations_total{result="registered"}')).toBe(1);
  expect(valueOf(body, 'litedesk_refusals_total{reason="punch-license-mismatch"}')).toBe(1);
  expect(valueOf(body, 'litedesk_introductions_total{outcome="wrong-key"}')).toBe(1);
  expect(valueOf(body, 'litedesk_registration_seconds_count')).toBe(1);
  expect(valueOf(body, 'litedesk_store_rows')).toBeGreaterThanOrEqual(0);
  // Nobody who looks at the page twice counts anything twice.
  const again = await get(port, '/metrics');
  expect(valueOf(again.body, 'litedesk_registrations_total{result="registered"}')).toBe(1);
});

test('every metric is described for people', async () => {
  const { port } = await start();
  const text = readFileSync(new URL('../../../docs/observability.md', import.meta.url), 'utf8');
  const { body } = await get(port, '/metrics');
  for (const [, name = ''] of body.matchAll(/^# HELP (\S+)/gm)) expect(text).toContain(name);
});

test('ready means registered, introduced, reached and relayed', async () => {
  const { server, port } = await start();
  const { code, body } = await get(port, '/readyz');
  const report = JSON.parse(body) as ReadyReport;
  expect(report.message).toContain('registered');
  expect(code).toBe(200);
  expect(Object.keys(report.stages)).toEqual(['udp', 'register', 'tcp', 'lookup', 'introduce', 'signature', 'connect', 'relay']);
  const { body: metrics } = await get(port, '/metrics');
  expect(valueOf(metrics, 'litedesk_ready')).toBe(1);
  expect(valueOf(metrics, 'litedesk_introductions_total{outcome="local"}')).toBe(1);
  // The self-test is no computer of anybody.
  expect(valueOf(metrics, 'litedesk_peers{transport="udp",state="online"}')).toBe(0);
  await new Promise<void>((resolve) => {
    const look = (): void => void (server.stats().relayPairs === 0 ? resolve() : setImmediate(look));
    look();
  });
});

test('a self-test of a server that sends everything to the relay passes, and without a relay too', async () => {
  const { server } = await start({ alwaysRelay: true });
  expect(await server.ready()).toMatchObject({ ok: true });
  const { server: lean } = await start({ ports: { rendezvous: -1, relay: 0, ws: 0, natTest: 0 } });
  const report = await lean.ready();
  expect(report).toMatchObject({ ok: true });
  expect(Object.keys(report.stages)).not.toContain('relay');
});

test('a store that cannot write is named', async () => {
  const broken: PeerStore = {
    kind: 'broken',
    get: () => null,
    save: (_row, done) => void setImmediate(() => done(new Error('no space left'))),
    count: () => 0,
    close: () => {},
  };
  const { port } = await start({ store: broken });
  const { code, body } = await get(port, '/readyz');
  expect(code).toBe(503);
  expect(JSON.parse(body)).toMatchObject({ ok: false, failed: 'store' });
  expect((await get(port, '/healthz')).code).toBe(200);
});

test('nobody else can register the id of the self-test', async () => {
  const { server } = await start();
  const { id } = selfTestIdentity('127.0.0.1', server.ports.rendezvous, new Uint8Array(64));
  const rogue = await udpClient(server.ports.rendezvous, '127.0.0.1');
  cleanups.push(() => rogue.destroy());
  rogue.send(encodeRendezvous({ registerPk: { id, uuid: Buffer.from('somebody'), pk: Buffer.alloc(32) } }));
  const { result } = (hbb.RendezvousMessage.decode((await rogue.inbox.next()) ?? new Uint8Array(0))).registerPkResponse ?? {};
  expect(result).toBe(hbb.RegisterPkResponse.Result.UUID_MISMATCH);
  expect(await server.ready()).toMatchObject({ ok: true });
});

test('neither a crowd behind its own address nor a changed key spoils the self-test', async () => {
  const { server } = await start({ limits: { addressBurst: 1, readyCacheMs: 0, registerBurst: 10 } });
  const crowd = await udpClient(server.ports.rendezvous, '127.0.0.1');
  cleanups.push(() => crowd.destroy());
  for (let i = 0; i < 4; i++) {
    crowd.send(encodeRendezvous({ registerPk: { id: `crowd-${i}`, uuid: Buffer.from(`of ${i}`), pk: Buffer.alloc(32, 1) } }));
    await crowd.inbox.next();
  }
  expect(server.stats()['register-too-frequent']).toBeGreaterThan(0);
  expect(await server.ready()).toMatchObject({ ok: true });
  const [one, other] = [new Uint8Array(64), new Uint8Array(64).fill(1)];
  expect(selfTestIdentity('h', 1, one).id).not.toBe(selfTestIdentity('h', 1, other).id);
});

test('reports are told again for a while, and one test runs for all who ask', async () => {
  const { server } = await start();
  const [first, second] = await Promise.all([server.ready(), server.ready()]);
  expect(second).toBe(first);
  expect(await server.ready()).toBe(first);
});

test('without a token only programs on this computer see the numbers', async () => {
  const { port, server } = await start();
  expect((await get(port, '/metrics')).code).toBe(200);
  for (const headers of [{ 'X-Forwarded-For': '203.0.113.9' }, { 'X-Real-IP': '127.0.0.1' }, { Host: 'evil.example' }, { Via: '1.1 proxy' }] as Record<string, string>[]) {
    expect((await get(port, '/metrics', { headers })).code).toBe(401);
    expect((await get(port, '/status/events', { headers })).code).toBe(401);
    expect((await get(port, '/healthz', { headers })).code).toBe(200);
    expect((await get(port, '/readyz', { headers })).code).toBe(200);
  }
  expect(server.stats()['http-unauthorised']).toBe(8);
});

test('a port that is open to others asks for a token, in a file of mode 0600', async () => {
  const { port, dataDir } = await start({ http: { host: '0.0.0.0', port: 0 } });
  const file = join(dataDir, 'status_token');
  const token = readFileSync(file, 'utf8').trim();
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect((await get(port, '/metrics')).code).toBe(401);
  for (const wrong of ['', 'Bearer', 'Bearer x', `Bearer ${token}x`, `Basic ${token}`, token])
    expect((await get(port, '/metrics', { headers: { Authorization: wrong } })).code).toBe(401);
  expect((await get(port, '/metrics', { headers: { Authorization: `Bearer ${token}` } })).code).toBe(200);
  // What is wrong inside is not for strangers.
  expect(Object.keys(JSON.parse((await get(port, '/readyz')).body) as object)).toEqual(['ok', 'failed', 'at']);
});

test('the page is three files with nothing from elsewhere', async () => {
  const { port } = await start();
  const page = await get(port, '/');
  expect(page.code).toBe(200);
  const policy = String(page.headers['content-security-policy']);
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
  expect(page.body).not.toMatch(/https?:\/\/|<style|style=|onclick/);
  for (const path of ['/status.js', '/status.css']) expect((await get(port, path)).code).toBe(200);
  expect((await get(port, '/elsewhere')).code).toBe(404);
  expect((await get(port, '/metrics', { method: 'POST' })).code).toBe(405);
  for (const path of ['/healthz', '/metrics', '/status/events']) expect((await get(port, path, { method: 'HEAD' })).body).toBe('');
});

test('the status stream begins with everything and goes on', async () => {
  const { port, server } = await start({ limits: { statusIntervalMs: 20, maxStatusPages: 1 } });
  await register(server.ports.rendezvous, '123456789');
  const pictures: Record<string, unknown>[] = [];
  await new Promise<void>((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path: '/status/events', agent: false }, (response) => {
      expect(response.headers['content-type']).toBe('text/event-stream');
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const events = text.split('\n\n');
        text = events.pop() ?? '';
        for (const event of events) pictures.push(JSON.parse(event.replace(/^event: status\ndata: /, '')) as Record<string, unknown>);
        if (pictures.length < 3) return;
        void get(port, '/status/events').then((second) => {
          expect(second.code).toBe(503);
          sent.destroy();
          resolve();
        }, reject);
      });
    });
    sent.on('error', () => {}).end();
  });
  expect(pictures[2]).toMatchObject({ census: { udp: 1, tcp: 0, ws: 0 }, reasons: { registered: 1 } });
  expect(pictures[0]?.peers).toMatchObject([{ id: '123***789', via: 'udp' }]);
  expect(JSON.stringify(pictures)).not.toContain('123456789');
});

test('connections that say nothing, or too much, have an end', async () => {
  const { port } = await start({ limits: { httpRequestMs: 50 } });
  const ended = (first: string): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => void socket.write(first));
      socket.on('error', () => {});
      socket.on('data', () => {});
      socket.on('close', () => resolve());
    });
  await Promise.all([ended(''), ended('GET /metrics HTTP/1.1\r\nHost: lo'), ended(`GET / HTTP/1.1\r\nA: ${'x'.repeat(40_000)}\r\n`), ended('\0\0\0')]);
});
