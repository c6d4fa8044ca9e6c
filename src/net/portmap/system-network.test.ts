import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { exchange } from './exchange.ts';
import { systemNetwork } from './system-network.ts';

const HOST = '127.0.0.1';
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});
const never = new AbortController().signal;

async function web(handler: Parameters<typeof createServer>[1]): Promise<URL> {
  const server: Server = createServer(handler as never);
  server.listen(0, HOST);
  await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return new URL(`http://${HOST}:${(server.address() as AddressInfo).port}/root.xml?a=b`);
}
const get = (url: URL, signal = never, maxBytes = 1_000) => systemNetwork.request({ url, method: 'GET', headers: {}, body: '', maxBytes }, HOST, signal);

test('a request: path, headers, body, status, answer', async () => {
  const url = await web((incoming, answer) => {
    let body = '';
    incoming.on('data', (chunk) => (body += chunk));
    incoming.on('end', () => answer.writeHead(500).end(`${incoming.method} ${incoming.url} ${incoming.headers['soapaction']} ${body}`));
  });
  const answer = await systemNetwork.request({ url, method: 'POST', headers: { SOAPAction: '"x"' }, body: '<ü/>', maxBytes: 1_000 }, HOST, never);
  expect(answer).toEqual({ status: 500, body: 'POST /root.xml?a=b "x" <ü/>' });
});

test('redirects are answers, long answers and long headers are errors', async () => {
  const elsewhere = await web(() => expect.unreachable());
  const redirect = await web((_, answer) => answer.writeHead(302, { Location: elsewhere.href }).end());
  expect((await get(redirect)).status).toBe(302);
  const endless = await web((_, answer) => {
    answer.on('error', () => {});
    const more = (): void => {
      while (answer.write('x'.repeat(10_000)));
      if (!answer.destroyed) answer.once('drain', more);
    };
    more();
  });
  await expect(get(endless)).rejects.toThrow('its answer is too long');
  const headers = await web((_, answer) => answer.writeHead(200, { 'X-Long': 'x'.repeat(12_000) }).end());
  await expect(get(headers)).rejects.toThrow();
});

test('what is no HTTP, and a connection that says nothing, end with an error or with the signal', async () => {
  const server = createTcpServer((socket) => socket.on('error', () => {}).end('\0\0 not http\r\n\r\n'));
  server.listen(0, HOST);
  await once(server, 'listening');
  closers.push(() => server.close());
  await expect(get(new URL(`http://${HOST}:${(server.address() as AddressInfo).port}/`))).rejects.toThrow();
  const abort = new AbortController();
  const silent = await web(() => abort.abort());
  await expect(get(silent, abort.signal)).rejects.toThrow(/abort/i);
});

test('a question over UDP takes the answer of who was asked, whoever else answers', async () => {
  const asked = await systemNetwork.openUdp(HOST);
  const forger = await systemNetwork.openUdp(HOST);
  closers.push(() => asked.close(), () => forger.close());
  // The port of a door is seen by whoever it writes to.
  const portOf = async (door: typeof asked): Promise<number> => {
    const mirror = createSocket('udp4');
    mirror.bind(0, HOST);
    await once(mirror, 'listening');
    door.send(Uint8Array.of(1), { host: HOST, port: mirror.address().port });
    const [, from] = (await once(mirror, 'message')) as [Buffer, { port: number }];
    mirror.close();
    return from.port;
  };
  const to = { host: HOST, port: await portOf(asked) };
  asked.onDatagram((bytes, from) => {
    forger.send(Uint8Array.of(6, 6, 6), from);
    forger.send(Uint8Array.of(6, 6, 6), from);
    asked.send(Uint8Array.of(...bytes, 2), from);
  });
  const answer = await exchange({
    ...{ network: systemNetwork, localAddress: HOST, to, request: Uint8Array.of(1), waitsMs: [500, 500, 2_000], clock: systemClock, signal: never },
    read: (bytes) => [...bytes],
  });
  expect(answer).toEqual([1, 2]);
});
