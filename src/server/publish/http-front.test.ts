/** HTTP and HTTPS services by host name, through real sockets and with requests that nobody should send. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type RequestOptions, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { PublishLab } from '../../../test/lib/publish.ts';
import type { ServiceOptions } from '../../peer/publish/service-spec.ts';
import type { RunningServer, ServerOptions } from '../index.ts';
import { FIRST_CERTIFICATE, SECOND_CERTIFICATE, writeCertificate } from '../one-port/test-certificates.ts';

const HOST = 'www.example.org';

let lab: PublishLab;
let server: RunningServer;
beforeEach(() => {
  lab = new PublishLab();
});
afterEach(() => lab.end());

/** A web server here, published as www.example.org. */
async function website(
  onRequest: (request: IncomingMessage, response: ServerResponse) => void,
  options: Partial<ServerOptions> & Partial<ServiceOptions> = {},
): Promise<Server> {
  const { allow, basicAuth, health, maxConnections, bandwidthKbps, ...rest } = options;
  const web = createServer(onRequest);
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  lab.closes(() => {
    web.close();
    web.closeAllConnections();
  });
  server = await lab.start(rest);
  const service = Object.fromEntries(Object.entries({ allow, basicAuth, health, maxConnections, bandwidthKbps }).filter(([, value]) => value !== undefined));
  const log = await lab.publish(server, 'home', [`web=http:127.0.0.1:${(web.address() as { port: number }).port}@${HOST}`], service);
  await log.next('published');
  return web;
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

function get(path: string, options: RequestOptions & { body?: Buffer } = {}): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const { body, headers, ...rest } = options;
    const asked = request(
      { host: '127.0.0.1', port: lab.httpPort, path, agent: false, headers: { host: HOST, ...(headers as object) }, ...rest },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }));
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Sends these bytes; everything that came back, once the other side has ended. */
function raw(text: string | Buffer, port = lab.httpPort): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let reply = '';
    socket.on('data', (chunk) => (reply += chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => resolve(reply));
    socket.write(text);
  });
}

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

it('leads requests to the service of their host name, and says who asked', async () => {
  await website((request, response) => void response.end(JSON.stringify(request.headers)));
  const { status, body } = await get('/page?x=1', {
    headers: {
      'X-Forwarded-For': '6.6.6.6',
      'X-Forwarded-Proto': 'gopher',
      X_Forwarded_Host: 'evil.example',
      Forwarded: 'for=6.6.6.6',
      'X-Real-IP': '6.6.6.6',
      Connection: 'close, X-Hop, X-Forwarded-For',
      'X-Hop': 'for this hop only',
      'Proxy-Authorization': 'Basic secret',
      Cookie: ['a=1', 'b=2'],
      'X-Kept': 'yes',
    },
  });
  expect(status).toBe(200);
  const seen = JSON.parse(String(body)) as Record<string, string>;
  expect(seen).toEqual({
    host: HOST,
    connection: 'keep-alive',
    cookie: 'a=1; b=2',
    'x-kept': 'yes',
    'x-forwarded-for': '127.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-host': HOST,
  });
});

it('keeps what a listed proxy says, and adds to it', async () => {
  await website((request, response) => void response.end(JSON.stringify(request.headers)), { trustedProxies: ['127.0.0.1'] });
  const { body } = await get('/', { headers: { 'X-Forwarded-For': '192.0.2.9', 'X-Forwarded-Proto': 'https' } });
  expect(JSON.parse(String(body))).toMatchObject({ 'x-forwarded-for': '192.0.2.9, 127.0.0.1', 'x-forwarded-proto': 'https', 'x-forwarded-host': HOST });
});

it('carries large bodies both ways, by length and in chunks, over one kept connection', async () => {
  await website((request, response) => {
    const hash = createHash('sha256');
    request.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      if (!response.write(chunk)) request.pause();
    });
    response.on('drain', () => request.resume());
    request.on('end', () => response.end(hash.digest()));
  });
  const body = randomBytes(5_000_000);
  for (const headers of [{ 'Content-Length': String(body.length) }, { 'Transfer-Encoding': 'chunked' }]) {
    const reply = await get('/echo', { method: 'POST', body, headers });
    expect(sha(reply.body.subarray(0, body.length))).toBe(sha(body));
    expect(reply.body.subarray(body.length).toString('hex')).toBe(sha(body));
  }
  const two = await raw(`GET /a HTTP/1.1\r\nHost: ${HOST}\r\n\r\nGET /b HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
  expect(two.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
});

it('passes events on as they come, and WebSockets', async () => {
  let next = (_text: string): void => {};
  const web = await website((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    response.flushHeaders();
    next = (text) => void response.write(`data: ${text}\n\n`);
  });
  const wss = new WebSocketServer({ server: web });
  wss.on('connection', (ws, request) => {
    ws.send(`hello ${request.headers['x-forwarded-for']}`);
    ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
  });
  const asked = request({ host: '127.0.0.1', port: lab.httpPort, path: '/events', headers: { host: HOST } }).end();
  const [events] = (await once(asked, 'response')) as [IncomingMessage];
  for (const text of ['one', 'two']) {
    next(text);
    expect(String((await once(events, 'data'))[0])).toBe(`data: ${text}\n\n`);
  }
  asked.destroy();
  const ws = new WebSocket(`ws://127.0.0.1:${lab.httpPort}/chat`, { headers: { host: HOST } });
  expect(String((await once(ws, 'message'))[0])).toBe('hello 127.0.0.1');
  const big = randomBytes(300_000);
  ws.send(big);
  expect(sha((await once(ws, 'message'))[0] as Buffer)).toBe(sha(big));
  ws.close();
  await once(ws, 'close');
});

it('answers for services that cannot, each failure with its code', async () => {
  await website(
    (request, response) => {
      if (request.url === '/break') {
        response.writeHead(200, { 'Content-Length': '1000' });
        response.write('half');
        setImmediate(() => response.destroy());
      } else if (request.url === '/cut') response.destroy();
      // Else nothing: too slow.
    },
    { limits: { publishedAnswerMs: 300 } },
  );
  const unknown = await get('/', { headers: { host: 'unknown.example.org' } });
  expect(unknown.status).toBe(404);
  expect(String(unknown.body)).toContain('No service is published under this name.');
  expect((await get('/', { headers: { host: '127.0.0.1:80' } })).status).toBe(404);
  expect((await get('/slow')).status).toBe(504);
  expect((await get('/cut')).status).toBe(502);
  await expect(get('/break')).rejects.toThrow('aborted');
  const more = await lab.publish(server, 'home', ['dead=http:127.0.0.1:1@dead.example.org', 'sick=http:127.0.0.1:1@sick.example.org'], {
    health: { path: null, intervalMs: 60_000 },
  });
  await more.next('published', { name: 'sick' });
  const sick = await get('/', { headers: { host: 'sick.example.org' } });
  expect({ status: sick.status, text: String(sick.body) }).toMatchObject({ status: 503, text: expect.stringContaining('503 no-backend') });
  const dead = await lab.publish(server, 'home', ['gone=http:127.0.0.1:1@gone.example.org']);
  await dead.next('published');
  const gone = await get('/', { headers: { host: 'gone.example.org' } });
  expect({ status: gone.status, text: String(gone.body) }).toMatchObject({ status: 502, text: expect.stringContaining('502 refused') });
});

it('asks for user and password where the service wants them, and not for ever', async () => {
  await website((request, response) => void response.end(request.headers.authorization ?? 'nothing'), {
    basicAuth: { user: 'anna', password: 'pässword: 1' },
    limits: { basicAuthTries: 3 },
  });
  const ask = (pair: string): Promise<Reply> => get('/', { headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } });
  const bare = await get('/');
  expect(bare).toMatchObject({ status: 401, headers: { 'www-authenticate': expect.stringContaining('Basic realm=') } });
  const good = await ask('anna:pässword: 1');
  expect({ status: good.status, body: String(good.body) }).toEqual({ status: 200, body: 'nothing' });
  for (const wrong of ['anna:', 'anna:password', 'hugo:pässword: 1']) expect((await ask(wrong)).status).toBe(401);
  expect((await ask('anna:guess')).status).toBe(429);
  // Who has proven himself before is not locked out by others behind his address.
  expect((await ask('anna:pässword: 1')).status).toBe(200);
  const ws = new WebSocket(`ws://127.0.0.1:${lab.httpPort}/`, { headers: { host: HOST } });
  expect(((await once(ws, 'unexpected-response'))[1] as IncomingMessage).statusCode).toBe(401);
  ws.on('error', () => {}).terminate();
});

describe('requests that can be read in two ways', () => {
  const host = `Host: ${HOST}`;
  const cases: readonly (readonly [string, string])[] = [
    ['both lengths', `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX`],
    ['two lengths', `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 6\r\nContent-Length: 5\r\n\r\nABCDEF`],
    ['the same length twice', `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nA`],
    ['a list of lengths', `POST / HTTP/1.1\r\n${host}\r\nContent-Length: 1, 1\r\n\r\nA`],
    ['a length with a sign', `POST / HTTP/1.1\r\n${host}\r\nContent-Length: +1\r\n\r\nA`],
    ['a coding before chunked', `POST / HTTP/1.1\r\n${host}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['chunked that is not last', `POST / HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ['two codings', `POST / HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a coding with a tab', `POST / HTTP/1.1\r\n${host}\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n`],
    ['a blank before the colon', `POST / HTTP/1.1\r\n${host}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ['chunked in HTTP/1.0', `POST / HTTP/1.0\r\n${host}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a folded line', `GET / HTTP/1.1\r\n${host}\r\nX-A: b\r\n c\r\n\r\n`],
    ['a bare LF in the header', `GET / HTTP/1.1\r\n${host}\nX-A: b\r\n\r\n`],
    ['a bare LF at the end', `GET / HTTP/1.1\r\n${host}\r\n\nGET /x HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a bare CR', `GET / HTTP/1.1\r\n${host}\r\nX-A: b\rc\r\n\r\n`],
    ['a NUL', `GET / HTTP/1.1\r\n${host}\r\nX-A: b\0c\r\n\r\n`],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two hosts', `GET / HTTP/1.1\r\n${host}\r\nHost: other.example.org\r\n\r\n`],
    ['the same host twice', `GET / HTTP/1.1\r\n${host}\r\n${host}\r\n\r\n`],
    ['a host with a path', `GET / HTTP/1.1\r\nHost: ${HOST}/x\r\n\r\n`],
    ['a host with a user', `GET / HTTP/1.1\r\nHost: a@${HOST}\r\n\r\n`],
    ['another host in the request line', `GET http://other.example.org/ HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a user in the request line', `GET http://${HOST}@other.example.org/ HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a path without its slash', `GET x HTTP/1.1\r\n${host}\r\n\r\n`],
    ['a bad chunk', `POST / HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n`],
    ['a chunk whose size has a sign', `POST / HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n`],
    ['an upgrade with a body', `GET / HTTP/1.1\r\n${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello`],
    ['more fields than are read', `GET / HTTP/1.1\r\n${host}\r\n${'X-A: 1\r\n'.repeat(100)}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a version of its own', `GET / HTTP/1.9\r\n${host}\r\n\r\n`],
  ];

  it.each(cases)('%s is refused, and nothing of it is led on', async (_name, text) => {
    const seen: string[] = [];
    await website((request, response) => {
      // A body that turns out broken has had its header led on; it never comes to a whole request.
      request.on('end', () => {
        if (request.complete) seen.push(`${request.method} ${request.url}`);
      });
      request.on('error', () => {});
      request.resume();
      request.on('end', () => response.end('served'));
    });
    const reply = await raw(text);
    expect(reply).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(reply).not.toContain('served');
    expect(server.stats()['published-bad-request']).toBeGreaterThan(0);
    expect(seen).toEqual([]);
  });

  it('an upgrade right behind a request that is not answered yet ends the connection, and nothing else', async () => {
    const asked: string[] = [];
    await website((request, response) => {
      asked.push(String(request.url));
      if (request.url !== '/slow') response.end('served');
    });
    const upgrade = (path: string): string => `GET ${path} HTTP/1.1\r\n${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
    expect(await raw(`GET /slow HTTP/1.1\r\n${host}\r\n\r\n${upgrade('/ws')}`)).toBe('');
    expect(await raw(upgrade('/one') + upgrade('/two'))).not.toMatch(/200[^]*200/);
    expect((await get('/next')).body.toString()).toBe('served');
    expect(asked).not.toContain('/ws');
  });

  it('takes the same host in the request line, and no tunnel', async () => {
    await website((request, response) => void response.end(`${request.url} ${request.headers.host}`));
    expect(await raw(`GET http://${HOST}/x?y HTTP/1.1\r\n${`Host: ${HOST}`}\r\nConnection: close\r\n\r\n`)).toContain(`/x?y ${HOST}`);
    expect(await raw(`CONNECT ${HOST}:443 HTTP/1.1\r\nHost: ${HOST}:443\r\n\r\n`)).not.toContain('200');
    // Other protocols than WebSocket are not gone over to: it stays HTTP/1.1.
    const h2c = await raw(`GET /h2c HTTP/1.1\r\nHost: ${HOST}\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n`);
    expect(h2c).toMatch(/200 OK[^]*\/h2c/);
  });
});

describe('HTTPS', () => {
  const secured = async (servername: string): Promise<TLSSocket> => {
    const socket = connectTls({ host: '127.0.0.1', port: lab.httpsPort, servername, rejectUnauthorized: false });
    lab.closes(() => socket.destroy());
    await once(socket, 'secureConnect');
    return socket;
  };
  const read = async (socket: TLSSocket): Promise<string> => {
    let text = '';
    for await (const chunk of socket) text += String(chunk);
    return text;
  };

  it('ends TLS here for services of kind http, and leads it through for those of kind https', async () => {
    await website((request, response) => void response.end(String(request.headers['x-forwarded-proto'])), { tls: writeCertificate(lab.dir) });
    const own = createTlsServer({ cert: SECOND_CERTIFICATE.cert, key: SECOND_CERTIFICATE.key }, (socket) => void socket.end('from home'));
    await new Promise<void>((resolve) => own.listen(0, '127.0.0.1', resolve));
    lab.closes(() => own.close());
    const log = await lab.publish(server, 'home', [`https:127.0.0.1:${(own.address() as { port: number }).port}@cloud.example.org`]);
    expect(await log.next('published')).toMatchObject({ url: `https://cloud.example.org:${lab.httpsPort}/` });
    const here = await secured(HOST);
    const [first, second] = [FIRST_CERTIFICATE, SECOND_CERTIFICATE].map(({ cert }) => cert.replaceAll(/-----[^-]+-----|\s/g, ''));
    expect(here.getPeerCertificate().raw.toString('base64')).toBe(first);
    here.write(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nConnection: close\r\n\r\n`);
    expect(await read(here)).toMatch(/200 OK[^]*https$/);
    const there = await secured('Cloud.Example.org');
    expect(there.getPeerCertificate().raw.toString('base64')).toBe(second);
    expect(await read(there)).toBe('from home');
    // TLS to one name, a request to another: the certificate is ours for both, the service at home is not reached so.
    const mixed = await secured(HOST);
    mixed.write('GET / HTTP/1.1\r\nHost: cloud.example.org\r\nConnection: close\r\n\r\n');
    expect(await read(mixed)).toMatch(/^HTTP\/1\.1 404/);
    expect(await raw(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`, lab.httpsPort)).toContain('This port speaks HTTPS.');
  });

  it('refuses names that nobody publishes where it has no certificate of its own', async () => {
    server = await lab.start();
    const socket = connectTls({ host: '127.0.0.1', port: lab.httpsPort, servername: HOST, rejectUnauthorized: false });
    const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
    expect(error.message).toMatch(/unrecognized name/);
  });
});
