import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, expect, test } from 'vitest';
import type { ErrorData } from '../../../core/errors.ts';
import { forEachSeed } from '../../../core/testing/seeds.ts';
import { serve, tunnelRig } from '../test-rig.ts';
import { absoluteTarget, basicCredentials, connectAuthority, endToEnd } from './http-headers.ts';
import { Proxy, type ProxyOptions } from './proxy.ts';
import { addressLength, readAddress, readDatagram, SocksError, writeAddress, writeDatagram } from './socks-wire.ts';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const done of cleanUp.splice(0).reverse()) await done();
});

async function proxy(rules: readonly string[], options: Partial<ProxyOptions> = {}) {
  const tunnel = await tunnelRig(rules);
  const failures: ErrorData[] = [];
  const made = new Proxy({
    address: { host: '127.0.0.1', port: 0 },
    open: tunnel.open,
    onFailure: (error) => failures.push(error),
    ...options,
  });
  const { port } = await made.listen();
  cleanUp.push(() => tunnel.close(), () => made.close());
  return { tunnel, made, port, failures };
}

/** What a web server was asked, as it arrived: the bytes of the heads and bodies. */
async function rawWeb(answer = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') {
  const seen: string[] = [];
  let connections = 0;
  const { server, port } = await serve((socket) => {
    connections++;
    socket.on('data', (data) => {
      seen.push(data.toString('latin1'));
      if (data.includes('\r\n\r\n') || data.includes('0\r\n\r\n')) socket.write(answer);
    });
  });
  cleanUp.push(() => server.close());
  return { port, seen, connections: () => connections };
}

async function dial(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  cleanUp.push(() => socket.destroy());
  return socket;
}

/** Sends text and answers everything until the other side ends. */
async function say(port: number, what: string | Uint8Array): Promise<string> {
  const socket = await dial(port);
  socket.end(what);
  return (await buffer(socket).catch(() => Buffer.alloc(0))).toString('latin1');
}

async function readUntil(socket: Socket, length: number): Promise<Buffer> {
  let got = Buffer.alloc(0);
  while (got.length < length) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    got = Buffer.concat([got, chunk]);
  }
  return got;
}

test('plain HTTP is written anew: own headers of the hop stay here, and the connection to the target is kept', async () => {
  const web = await rawWeb();
  const { port } = await proxy([`tcp:127.0.0.1:${web.port}`]);
  const socket = await dial(port);
  for (let round = 0; round < 3; round++) {
    socket.write(
      `GET http://127.0.0.1:${web.port}/path?q=1 HTTP/1.1\r\nHost: evil.example\r\nProxy-Authorization: Basic eA==\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\nX-Kept: 2\r\n\r\n`,
    );
    expect(String(await readUntil(socket, 10))).toMatch(/^HTTP\/1.1 200 OK/);
  }
  expect(web.connections()).toBe(1);
  const head = web.seen[0] ?? '';
  expect(head).toMatch(/^GET \/path\?q=1 HTTP\/1\.1\r\n/);
  expect(head).toContain(`Host: 127.0.0.1:${web.port}\r\n`);
  expect(head).toContain('X-Kept: 2\r\n');
  expect(head).not.toMatch(/evil|Proxy-|X-Secret/);
});

test.each([
  ['two lengths', 'POST http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhelloX'],
  ['length and chunks', 'POST http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n'],
  ['chunks in disguise', 'POST http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n'],
  ['a folded header', 'GET http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: x\r\nX: a\r\n Transfer-Encoding: chunked\r\n\r\n'],
  ['a bare line feed', 'GET http://127.0.0.1:PORT/ HTTP/1.1\nHost: x\nX: y\n\n'],
  ['a space before the colon', 'GET http://127.0.0.1:PORT/ HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\nhello'],
])('%s hides no second request', async (_, text) => {
  const web = await rawWeb();
  const { port } = await proxy([`tcp:127.0.0.1:${web.port}`]);
  await say(port, text.replace('PORT', String(web.port)));
  expect(web.seen.join('')).not.toContain('smuggled');
  // What gets through at all is one request with one framing.
  for (const head of web.seen) expect([...head.matchAll(/content-length|transfer-encoding/gi)].length).toBeLessThanOrEqual(1);
});

test('CONNECT carries bytes once the target is reached, and says why when it is not', async () => {
  const { server, port: target } = await serve((socket) => socket.pipe(socket));
  cleanUp.push(() => server.close());
  const { port, failures } = await proxy([`tcp:127.0.0.1:${target}`]);
  expect(await say(port, `CONNECT 127.0.0.1:${target} HTTP/1.1\r\nHost: x\r\n\r\nearly bytes`)).toBe(
    'HTTP/1.1 200 Connection established\r\n\r\nearly bytes',
  );
  expect(await say(port, 'CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 403 Forbidden/);
  expect(failures).toMatchObject([{ code: 'TUNNEL_NOT_ALLOWED' }]);
  for (const bad of ['127.0.0.1', '127.0.0.1:0', ':80', 'a b:80', 'user@host:80', 'http://x/'])
    expect(await say(port, `CONNECT ${bad} HTTP/1.1\r\nHost: x\r\n\r\n`), bad).toMatch(/^HTTP\/1.1 400/);
});

test('requests that are for no proxy are told so', async () => {
  const { port } = await proxy(['any']);
  for (const what of ['GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 'GET https://x/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 'GET ftp://x/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 'rubbish\r\n\r\n'])
    expect(await say(port, what)).toMatch(/^HTTP\/1.1 400/);
});

test('an answer that is cut short is not passed off as complete', async () => {
  const { server, port: target } = await serve((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'));
  });
  cleanUp.push(() => server.close());
  const { port } = await proxy([`tcp:127.0.0.1:${target}`]);
  const failed = new Promise<Error>((resolve) => {
    const asked = request({ port, host: '127.0.0.1', path: `http://127.0.0.1:${target}/`, agent: false }, (answer) => {
      answer.on('error', resolve).resume();
    });
    asked.on('error', resolve).end();
  });
  expect((await failed).message).toMatch(/aborted|hang up|reset/i);
});

test('without the password nobody is served, with it everybody, over HTTP and SOCKS', async () => {
  const web = await rawWeb();
  const { port } = await proxy([`tcp:127.0.0.1:${web.port}`], { auth: { user: 'u', password: 'p:w' } });
  const get = (auth: string): string =>
    `GET http://127.0.0.1:${web.port}/ HTTP/1.1\r\nHost: x\r\n${auth}Connection: close\r\n\r\n`;
  expect(await say(port, get(''))).toMatch(/^HTTP\/1.1 407[^]*Proxy-Authenticate: Basic/);
  expect(await say(port, get('Proxy-Authorization: Basic dTpw\r\n'))).toMatch(/^HTTP\/1.1 407/);
  expect(await say(port, `CONNECT 127.0.0.1:${web.port} HTTP/1.1\r\nHost: x\r\n\r\n`)).toMatch(/^HTTP\/1.1 407/);
  expect(await say(port, get(`Proxy-Authorization: Basic ${btoa('u:p:w')}\r\n`))).toMatch(/^HTTP\/1.1 200/);
  expect(await say(port, Buffer.from([5, 1, 0]))).toBe('\x05\xff');
  expect(await say(port, Buffer.from([5, 1, 2, 1, 1, 0x75, 1, 0x78]))).toBe('\x05\x02\x01\x01');
  expect(web.connections()).toBe(1);
});

test('SOCKS5 by address and by name, and its answers for what cannot be reached', async () => {
  const { server, port: target } = await serve((socket) => socket.pipe(socket));
  cleanUp.push(() => server.close());
  const { port } = await proxy([`tcp:127.0.0.1:${target}`, 'tcp:127.0.0.1:1', 'tcp:*:*']);
  const hello = Buffer.from([5, 1, 0]);
  const ask = (address: Buffer, command = 1): Buffer => Buffer.concat([hello, Buffer.from([5, command, 0]), address]);
  const ok = '\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00';
  expect(await say(port, Buffer.concat([ask(writeAddress({ host: '127.0.0.1', port: target })), Buffer.from('early')]))).toBe(`${ok}early`);
  expect(await say(port, Buffer.concat([ask(writeAddress({ host: 'localhost', port: target })), Buffer.from('x')]))).toBe(`${ok}x`);
  const code = async (request: Buffer): Promise<number> => (await say(port, request)).charCodeAt(3);
  expect(await code(ask(writeAddress({ host: '127.0.0.1', port: 2 })))).toBe(2);
  expect(await code(ask(writeAddress({ host: '127.0.0.1', port: 1 })))).toBe(5);
  expect(await code(ask(writeAddress({ host: '127.0.0.1', port: target }), 2))).toBe(7);
  expect(await code(ask(Buffer.from([9, 0, 0, 0])))).toBe(8);
});

test('UDP through SOCKS5: datagrams out and back, each under its own address, and from the client alone', async () => {
  const echo = createSocket('udp4').on('message', (data, from) => echo.send(data, from.port, from.address));
  echo.bind(0, '127.0.0.1');
  await once(echo, 'listening');
  const target = { host: '127.0.0.1', port: echo.address().port };
  const { port, made } = await proxy([`udp:127.0.0.1:${target.port}`]);
  const control = await dial(port);
  control.write(Buffer.concat([Buffer.from([5, 1, 0, 5, 3, 0]), writeAddress({ host: '0.0.0.0', port: 0 })]));
  const reply = await readUntil(control, 12);
  expect([reply[1], reply[3]]).toEqual([0, 0]);
  const relay = readAddress(reply[5] as number, reply.subarray(6));
  const client = createSocket('udp4').bind(0, '127.0.0.1');
  const stranger = createSocket('udp4').bind(0, '127.0.0.1');
  cleanUp.push(() => echo.close(), () => client.close(), () => stranger.close());
  const answer = once(client, 'message');
  client.send(writeDatagram(target, Buffer.from('ping')), relay.port, relay.host);
  const [bytes] = (await answer) as [Buffer];
  expect(readDatagram(bytes)).toEqual({ ...target, payload: Buffer.from('ping') });
  let heard = 0;
  stranger.on('message', () => heard++);
  stranger.send(writeDatagram(target, Buffer.from('who')), relay.port, relay.host);
  const again = once(client, 'message');
  client.send(writeDatagram(target, Buffer.from('two')), relay.port, relay.host);
  await again;
  expect(heard).toBe(0);
  control.destroy();
  await expect.poll(() => made.connections.size).toBe(0);
});

test('many requests on one kept connection leave nothing behind', async () => {
  const web = createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1');
  await once(web, 'listening');
  cleanUp.push(() => web.close());
  const address = web.address();
  const target = typeof address === 'object' && address ? address.port : 0;
  const { port, made } = await proxy([`tcp:127.0.0.1:${target}`]);
  const socket = await dial(port);
  for (let i = 0; i < 50; i++) {
    socket.write(`GET http://127.0.0.1:${target}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(String(await readUntil(socket, 12))).toMatch(/^HTTP\/1.1 200/);
  }
  await expect.poll(() => made.connections.size).toBe(0);
  expect(made.connections.total).toBe(50);
  web.closeAllConnections();
});

test('no bytes of a client do harm', async () => {
  const { port, tunnel } = await proxy([]);
  const starts = [Buffer.from([5, 1, 0, 5, 1, 0, 3]), Buffer.from('GET http://a/ HTTP/1.1\r\n'), Buffer.from('CONNECT a:1 HTTP/1.1\r\n'), Buffer.alloc(0)];
  await forEachSeed(60, async (random) => {
    await say(port, Buffer.concat([random.pick(starts), random.bytes(random.below(300))]));
  });
  expect(tunnel.near.end).toBeNull();
  expect(await say(port, 'CONNECT 10.0.0.1:1 HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1.1 403/);
});

test('SOCKS addresses of all kinds come back as they were; everything else is refused', async () => {
  for (const address of [
    { host: '192.0.2.1', port: 1 },
    { host: '2001:db8::7', port: 65535 },
    { host: 'a.example', port: 80 },
  ]) {
    const bytes = writeAddress(address);
    expect(addressLength(bytes[0] as number, bytes[1] as number)).toBe(bytes.length - 1);
    expect(readAddress(bytes[0] as number, bytes.subarray(1))).toEqual(address);
  }
  await forEachSeed(2_000, (random) => {
    const bytes = random.bytes(random.below(40));
    try {
      const datagram = readDatagram(bytes);
      if (datagram) expect(datagram.port).toBeGreaterThan(0);
    } catch (error) {
      expect(error).toBeInstanceOf(SocksError);
    }
  });
});

test('headers, authorities and credentials are read strictly', () => {
  expect(endToEnd(['A', '1', 'Connection', 'B', 'b', '2', 'TE', 'x', 'Host', 'h'], ['host'])).toEqual(['A', '1']);
  expect(connectAuthority('[::1]:80')).toEqual({ host: '::1', port: 80 });
  expect([connectAuthority('a:b:80'), connectAuthority('a:99999'), connectAuthority('')]).toEqual([null, null, null]);
  expect(absoluteTarget('http://a.example:8080/x?y#z')).toEqual({ host: 'a.example', port: 8080, path: '/x?y', authority: 'a.example:8080' });
  expect([absoluteTarget('/x'), absoluteTarget('http://u:p@a/'), absoluteTarget('http://')]).toEqual([null, null, null]);
  expect(basicCredentials('Basic dTpwOnc=')).toEqual({ user: 'u', password: 'p:w' });
  expect([basicCredentials(undefined), basicCredentials('Basic x y'), basicCredentials('Bearer dTpw')]).toEqual([null, null, null]);
});
