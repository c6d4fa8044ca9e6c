/** Connections to the programs behind HTTP services that serve several requests, and those that must not. */
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PublishLab } from '../../../test/lib/publish.ts';
import type { ServiceOptions } from '../../peer/publish/service-spec.ts';
import type { RunningServer, ServerOptions } from '../index.ts';

const HOST = 'www.example.org';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

let lab: PublishLab;
let server: RunningServer;
beforeEach(() => {
  lab = new PublishLab();
});
afterEach(() => lab.end());

interface Asked {
  /** Of the connection, from 1. */
  readonly connection: number;
  /** On this connection, from 1. */
  readonly nth: number;
  readonly head: string;
  readonly socket: Socket;
}

/** A program that does this with each request, byte by byte as it likes; all requests that it saw. */
async function program(onRequest: (asked: Asked) => void): Promise<{ port: number; seen: Asked[]; sockets: Socket[] }> {
  const seen: Asked[] = [];
  const sockets: Socket[] = [];
  const port = await lab.service((socket) => {
    const connection = sockets.push(socket);
    let nth = 0;
    let text = '';
    socket.on('end', () => socket.end());
    socket.on('data', (chunk) => {
      text += String(chunk);
      for (let at = text.indexOf('\r\n\r\n'); at >= 0; at = text.indexOf('\r\n\r\n')) {
        const asked = { connection, nth: ++nth, head: text.slice(0, at), socket };
        const length = Number(/content-length: (\d+)/i.exec(asked.head)?.[1] ?? 0);
        text = text.slice(at + 4 + length);
        seen.push(asked);
        onRequest(asked);
      }
    });
  });
  return { port, seen, sockets };
}

async function publish(ports: readonly number[], options: Pick<Partial<ServerOptions>, 'limits'> & Partial<ServiceOptions> = {}) {
  const { health, maxConnections, limits } = options;
  server = await lab.start(limits ? { limits } : {});
  const backends = ports.map((port) => `127.0.0.1:${port}`).join();
  const log = await lab.publish(server, 'home', [`web=http:${backends}@${HOST}`], { ...(health ? { health } : {}), ...(maxConnections ? { maxConnections } : {}) });
  await log.next('published');
  return log;
}

function closed(socket: Socket | undefined): Promise<unknown> {
  return socket?.closed === false ? new Promise((resolve) => socket.once('close', resolve)) : Promise.resolve();
}

/** Status and body; 0 for an answer that breaks off. */
function ask(path = '/', method = 'GET', body = ''): Promise<[number, string]> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port: lab.httpPort, path, method, agent: false, headers: { host: HOST, ...(body === '' ? {} : { 'content-length': body.length }) } }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('error', () => resolve([0, text]));
      response.on('end', () => resolve([response.statusCode ?? 0, text]));
    });
    asked.on('error', () => resolve([0, '']));
    asked.end(body);
  });
}

it('asks one after the other over one connection, which counts for nothing meanwhile', async () => {
  const { port, seen } = await program(({ socket }) => socket.write(OK));
  await publish([port], { maxConnections: 1 });
  for (let i = 0; i < 5; i++) expect(await ask()).toEqual([200, 'ok']);
  expect(seen.map(({ connection, nth }) => [connection, nth])).toEqual([1, 2, 3, 4, 5].map((nth) => [1, nth]));
  expect(server.stats()).toMatchObject({ 'published-opened': 1, 'published-reused': 4, publishedConnections: 0 });
});

it('gives what has a body, or changes something, a connection of its own', async () => {
  const { port, seen } = await program(({ socket }) => socket.write(OK));
  await publish([port]);
  for (const [method, body] of [['GET', ''], ['POST', 'x'], ['GET', 'x'], ['DELETE', ''], ['GET', '']] as const) expect(await ask('/', method, body)).toEqual([200, 'ok']);
  expect(seen.map(({ connection, head }) => [connection, /connection: (\S+)/i.exec(head)?.[1]])).toEqual([
    [1, 'keep-alive'],
    [2, 'close'],
    [3, 'close'],
    [4, 'close'],
    [1, 'keep-alive'],
  ]);
});

it('asks again where a kept connection ends before the first byte of an answer, once, and never a request that changes something', async () => {
  const { port, seen } = await program(({ nth, socket, head }) => {
    if (nth === 2 || head.startsWith('POST')) socket.destroy();
    else socket.write(OK);
  });
  await publish([port]);
  expect(await ask('/1')).toEqual([200, 'ok']);
  expect(await ask('/2')).toEqual([200, 'ok']);
  expect((await ask('/3', 'POST'))[0]).toBe(502);
  expect(seen.map(({ connection, head }) => [connection, head.split(' ')[1]])).toEqual([[1, '/1'], [1, '/2'], [2, '/2'], [3, '/3']]);
});

it('does not ask again once an answer has begun', async () => {
  const { port, seen } = await program(({ nth, socket }) => {
    if (nth === 1) socket.write(OK);
    else socket.write('HTTP/1.1 2', () => socket.destroy());
  });
  await publish([port]);
  expect(await ask('/1')).toEqual([200, 'ok']);
  expect((await ask('/2'))[0]).toBe(502);
  expect(seen).toHaveLength(2);
});

it.each([
  ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok'],
  ['the end of the connection', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
  ['an old version', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok'],
  ['no time to keep it', 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok'],
])('keeps no connection after an answer with %s', async (_name, text) => {
  const { port, seen } = await program(({ socket }) => socket.write(text));
  await publish([port]);
  for (let i = 0; i < 2; i++) await ask();
  expect(seen.map(({ nth }) => nth)).toEqual([1, 1]);
});

it('leads no answer to a request that it does not belong to', async () => {
  const { port, sockets } = await program(({ socket, head, nth }) => {
    if (head.startsWith('GET /more')) socket.write(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`);
    else if (head.startsWith('GET /late')) socket.write(OK, () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison'));
    else if (head.startsWith('HEAD')) socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno`);
    else socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${nth}`);
  });
  await publish([port]);
  for (const [path, method] of [['/more', 'GET'], ['/late', 'GET'], ['/', 'HEAD']] as const) {
    await ask(path, method);
    // That nobody asked for it is seen when it comes.
    await closed(sockets.at(-1));
    expect(await ask(), path).toEqual([200, '1']);
    expect((await ask())[0]).toBe(200);
  }
});

it('ends a connection after a while of rest, and when its service is withdrawn', async () => {
  const { port, sockets } = await program(({ socket }) => socket.write(OK));
  const log = await publish([port], { limits: { publishedKeepMs: 30 } });
  const [connected] = await Promise.all([ask(), expect.poll(() => sockets.length).toBe(1)]);
  expect(connected[0]).toBe(200);
  await closed(sockets[0]);
  await ask();
  await log.publisher.stop();
  await closed(sockets[1]);
});

it('keeps several programs answering in turn, and leaves out the one that is not well', async () => {
  let well = true;
  const programs = await Promise.all(
    ['a', 'b'].map((name) =>
      program(({ socket, head }) => {
        const sick = head.startsWith('GET /health') && name === 'b' && !well;
        socket.write(`HTTP/1.1 ${sick ? '500 No' : '200 OK'}\r\nContent-Length: 1\r\n\r\n${name}`);
      }),
    ),
  );
  await publish(programs.map(({ port }) => port), { health: { path: '/health', intervalMs: 20 } });
  const round = async (): Promise<string> => {
    let names = '';
    for (let i = 0; i < 6; i++) names += (await ask())[1];
    return names;
  };
  expect(['ababab', 'bababa']).toContain(await round());
  well = false;
  await expect.poll(round).toBe('aaaaaa');
  expect(server.stats()['published-reused']).toBeGreaterThan(6);
});
