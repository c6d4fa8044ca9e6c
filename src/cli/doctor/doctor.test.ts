/** The doctor against servers of both kinds and in several states of health, over real sockets. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { expect, test as base } from 'vitest';
import { freePorts } from '../../../test/lib/ports.ts';
import { signKeyPair } from '../../core/crypto/index.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../server/index.ts';
import { writeCertificate } from '../../server/one-port/test-certificates.ts';
import { doctorCommand } from '../commands/doctor.ts';
import { startStock, type StockFaults } from './test-stock.ts';

interface Line {
  event: string;
  name: string;
  status: string;
  ok: boolean;
  detail: string;
  hint: string;
  code?: string;
  summary: string;
}

/** A folder with the doctor's data and servers for it to look at. */
class Practice {
  readonly dir = mkdtempSync(join(tmpdir(), 'litedesk-doctor-'));
  readonly #cleanups: (() => void | Promise<void>)[] = [];

  async start(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
    const server = await startServer({ dataDir: join(this.dir, 'server'), ports: { rendezvous: -1 }, ...options });
    this.#cleanups.push(() => server.close());
    return server;
  }

  async doctor(...args: string[]): Promise<{ code: number; lines: Line[]; check: (name: string) => Line; text: string }> {
    let text = '';
    const stdout = new Writable({
      write(chunk, _encoding, done) {
        text += String(chunk);
        done();
      },
    });
    const io = { stdout, stderr: stdout, stdin: process.stdin, env: {}, signal: new AbortController().signal };
    const json = !args.includes('--text');
    const code = await doctorCommand([...args.filter((arg) => arg !== '--text'), '--data', join(this.dir, 'doctor'), ...(json ? ['--json'] : [])], io);
    const lines = json ? text.trim().split('\n').map((line) => JSON.parse(line) as Line) : [];
    return {
      code,
      lines,
      text,
      check: (name) => {
        const found = lines.find((line) => line.name === name);
        if (!found) throw new Error(`no ${name} in ${text}`);
        return found;
      },
    };
  }

  async stock(faults: StockFaults = {}): Promise<{ server: string; key: string }> {
    // Not 127.0.0.1: the addresses of each server under test are its own.
    const host = '127.0.0.77';
    const running = await startStock(host, await freePorts(5, host), faults);
    this.#cleanups.push(() => running.close());
    return { server: `${host}:${running.port}`, key: running.key };
  }

  async end(): Promise<void> {
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
    rmSync(this.dir, { recursive: true });
  }
}

/** Side by side: each has servers of its own, and what takes long is waiting for answers that do not come. */
const test = base.extend<{ practice: Practice }>({
  practice: async ({ onTestFinished }, use) => {
    const practice = new Practice();
    onTestFinished(() => practice.end());
    await use(practice);
  },
}).concurrent;

test('a healthy server: everything works, and one sentence says so', async ({ practice }) => {
  const server = await practice.start();
  const { code, lines, check } = await practice.doctor('--server', `127.0.0.1:${server.ports.rendezvous}`, '--key', server.publicKey);
  expect(lines.filter((line) => line.status === 'fail' || line.status === 'warn')).toEqual([]);
  for (const name of ['tcp-rendezvous', 'udp-rendezvous', 'udp-nat-test', 'tcp-nat-test', 'websocket', 'registration', 'introduction', 'key', 'tcp-relay', 'relay', 'relay-websocket', 'nat-mapping', 'clock'])
    expect(check(name)).toMatchObject({ status: 'ok', ok: true });
  expect(check('nat-filtering').status).toBe('skip');
  expect(check('port-mapping').status).toBe('skip');
  const verdict = lines.at(-1);
  expect(verdict).toMatchObject({ event: 'verdict', ok: true });
  expect(verdict?.summary).toMatch(/^litedesk doctor [\d.]+ on .* server 127\.0\.0\.1:\d+ works; .*no NAT, key proven\.$/);
  expect(code).toBe(0);
  // Seen as one computer, however often it is asked.
  await practice.doctor('--server', `127.0.0.1:${server.ports.rendezvous}`, '--key', server.publicKey);
  expect(server.stats().peersInMemory).toBe(1);
});

test('people get the same in lines with the next step', async ({ practice }) => {
  const server = await practice.start();
  const { text, code } = await practice.doctor('--server', server.invitation.replace(/\/\/[^:?]+/, '//127.0.0.1').replace(/#.*/, ''), '--text').catch((error: unknown) => ({
    text: (error as Error).message,
    code: 1,
  }));
  // An invitation that was changed is refused before anything is tested.
  expect(text).toContain('invitation');
  expect(code).toBe(1);
  const good = await practice.doctor('--server', `127.0.0.1:${server.ports.rendezvous}`, '--text');
  expect(good.text).toContain('ok    tcp-rendezvous');
  expect(good.text).toContain('WARN  key');
  expect(good.text).toMatch(/→ Give --key/);
  expect(good.code).toBe(1);
  expect(good.text).toContain('DOCTOR_KEY_REFUSED');
});

test('another key than the server has', async ({ practice }) => {
  const server = await practice.start();
  const wrong = Buffer.from(signKeyPair().publicKey).toString('base64');
  const { code, check, lines } = await practice.doctor('--server', `127.0.0.1:${server.ports.rendezvous}`, '--key', wrong);
  expect(check('key')).toMatchObject({ status: 'fail', code: 'DOCTOR_KEY_WRONG' });
  expect(check('introduction')).toMatchObject({ status: 'fail', code: 'DOCTOR_KEY_REFUSED' });
  expect(lines.at(-1)?.summary).toContain('fails at introduction DOCTOR_KEY_REFUSED, key DOCTOR_KEY_WRONG');
  expect(code).toBe(1);
});

test('stock hbbs and hbbr: the key is proven by the signature, and what they lack is a warning', async ({ practice }) => {
  const { server, key } = await practice.stock();
  const { code, check, lines } = await practice.doctor('--server', server, '--key', key);
  expect(lines.filter((line) => line.status === 'fail')).toEqual([]);
  expect(check('key')).toMatchObject({ status: 'ok' });
  expect(check('key').detail).toContain('signed');
  expect(check('relay').status).toBe('ok');
  expect(check('udp-nat-test')).toMatchObject({ status: 'warn', code: 'DOCTOR_NO_UDP_NAT_TEST' });
  expect(check('websocket')).toMatchObject({ status: 'warn', code: 'WS_FAILED' });
  expect(code).toBe(0);
});

test('a stock server whose signature is of another key', async ({ practice }) => {
  const { server, key } = await practice.stock({ otherKey: true });
  const { check } = await practice.doctor('--server', server, '--key', key);
  expect(check('key')).toMatchObject({ status: 'fail', code: 'DOCTOR_KEY_WRONG' });
});

test('a relay that refuses', async ({ practice }) => {
  const { server, key } = await practice.stock({ relayRefuses: true });
  const { check, code } = await practice.doctor('--server', server, '--key', key);
  expect(check('tcp-relay').status).toBe('ok');
  expect(check('relay')).toMatchObject({ status: 'fail', code: 'DOCTOR_RELAY_REFUSED' });
  expect(code).toBe(1);
});

test('answers that come from another address than was asked', async ({ practice }) => {
  const { server, key } = await practice.stock({ wrongSource: true });
  const { check } = await practice.doctor('--server', server, '--key', key);
  expect(check('udp-rendezvous')).toMatchObject({ status: 'fail', code: 'DOCTOR_WRONG_SOURCE' });
});

test('UDP that is blocked: stock servers fail, ours takes the registration over TCP', { timeout: 90_000 }, async ({ practice }) => {
  const { server, key } = await practice.stock({ noUdp: true });
  const { check } = await practice.doctor('--server', server, '--key', key);
  expect(check('udp-rendezvous')).toMatchObject({ status: 'fail', code: 'DOCTOR_NO_ANSWER' });
  expect(check('registration').status).toBe('fail');
  expect(check('relay').status).toBe('skip');
});

test('no server at all, and a name that does not exist', { timeout: 90_000 }, async ({ practice }) => {
  const port = await freePorts(1, '127.0.0.78');
  const { check, code } = await practice.doctor('--server', `127.0.0.78:${port}`, '--key', 'x');
  expect(check('tcp-rendezvous')).toMatchObject({ status: 'fail', code: 'TCP_REFUSED' });
  expect(code).toBe(1);
  const nowhere = await practice.doctor('--server', 'no-such-host.invalid');
  expect(nowhere.check('dns')).toMatchObject({ status: 'fail', code: 'DNS_FAILED' });
  expect(nowhere.lines.at(-1)).toMatchObject({ event: 'verdict', ok: false });
});

test('a server that carries everything on one port', async ({ practice }) => {
  const port = await freePorts();
  const server = await practice.start({ ports: { rendezvous: 0, natTest: 0, relay: 0, ws: 0, relayWs: 0, single: port } });
  const { check, lines, code } = await practice.doctor('--server', `127.0.0.1:${port}`, '--key', server.publicKey);
  expect(lines.filter((line) => line.status === 'fail')).toEqual([]);
  expect(check('one-port').status).toBe('ok');
  expect(check('relay').status).toBe('ok');
  expect(check('key').status).toBe('ok');
  expect(check('tcp-relay').status).toBe('skip');
  expect(code).toBe(0);
});

test.for(['tls', 'wss', 'ws', 'single'])('a single port that is reached by %s://, as its invitation says', async (scheme, { practice }) => {
  const port = await freePorts();
  const server = await practice.start({ ports: { rendezvous: 0, natTest: 0, relay: 0, ws: 0, relayWs: 0, single: port }, tls: writeCertificate(practice.dir) });
  const { check, lines, code } = await practice.doctor('--server', `${scheme}://127.0.0.1:${port}`, '--key', server.publicKey);
  expect(lines.filter((line) => line.status === 'fail')).toEqual([]);
  for (const name of ['tcp-rendezvous', 'registration', 'introduction', 'key', 'relay', 'clock']) expect(check(name).status).toBe('ok');
  for (const name of ['tcp-nat-test', 'websocket', 'tcp-relay', 'relay-websocket']) expect(check(name).status).toBe('skip');
  expect(code).toBe(0);
});
