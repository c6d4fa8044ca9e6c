/** Services of peers on the public ports of a server, through real sockets. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PublishLab } from '../../../test/lib/publish.ts';
import { parseService } from '../../peer/publish/service-spec.ts';

let lab: PublishLab;
beforeEach(() => {
  lab = new PublishLab();
});
afterEach(() => lab.end());

/** Connects; what came until the end, or the code of the error. */
async function talk(port: number, say: string, from = '127.0.0.1'): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, localAddress: from, allowHalfOpen: true });
  socket.end(say);
  return await toEnd(socket);
}

function toEnd(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.on('end', () => {
      resolve(text);
      socket.destroy();
    });
    socket.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? 'error'));
  });
}

const echo = (socket: Socket): void => void socket.pipe(socket);

it('leads a public port to a service of a peer that nobody has to know before, each direction with its own end', async () => {
  const server = await lab.start();
  const port = await lab.service(echo);
  const log = await lab.publish(server, 'home', [`tcp:127.0.0.1:${port}`]);
  const published = await log.next('published');
  expect(published).toMatchObject({ name: `tcp-${port}`, kind: 'tcp', url: `tcp://${published.address}:${published.port}` });
  expect(published.port).toBeGreaterThanOrEqual(lab.firstPort);
  const long = 'x'.repeat(3_000_000);
  expect(await talk(Number(published.port), long)).toBe(long);
  expect(server.stats()).toMatchObject({ publishers: 1, publishedServices: 1, 'published-opened': 1 });
  await log.publisher.stop();
  await expect.poll(() => talk(Number(published.port), 'anybody?')).toBe('ECONNREFUSED');
  expect(log.events.at(-1)).toMatchObject({ event: 'unpublished', data: { reason: 'stopped' } });
});

it('publishes more and less over the connection that there is', async () => {
  const server = await lab.start();
  const log = await lab.publish(server, 'home', [`first=tcp:${await lab.service(echo)}`]);
  const first = await log.next('published', { name: 'first' });
  log.publisher.add(parseService(`second=tcp:${await lab.service(echo)}`, { allow: [], basicAuth: null, health: { path: null, intervalMs: 60_000 }, maxConnections: 0, bandwidthKbps: 0 }));
  const second = await log.next('published', { name: 'second' });
  expect(await talk(Number(second.port), 'hello')).toBe('hello');
  expect(log.publisher.connections('second')).toMatchObject({ total: 1, traffic: { bytesIn: 5, bytesOut: 5 } });
  log.publisher.remove('first');
  await expect.poll(() => talk(Number(first.port), 'anybody?')).toBe('ECONNREFUSED');
  expect(await talk(Number(second.port), 'still')).toBe('still');
  expect(server.stats()).toMatchObject({ publishers: 1, publishedServices: 1 });
  expect(log.events.filter(({ event }) => event !== 'published')).toEqual([]);
});

it('tells a reset from an end, both ways', async () => {
  const server = await lab.start();
  const far: Socket[] = [];
  const port = await lab.service((socket) => void far.push(socket));
  const log = await lab.publish(server, 'home', [`tcp:${port}`, `dead=tcp:127.0.0.1:1`]);
  const published = await log.next('published', { name: `tcp-${port}` });
  const dead = await log.next('published', { name: 'dead' });
  const near = connect(Number(published.port), '127.0.0.1');
  near.write('half');
  await expect.poll(() => far.length).toBe(1);
  far[0]?.resetAndDestroy();
  expect(await toEnd(near)).toBe('ECONNRESET');
  const other = connect(Number(published.port), '127.0.0.1');
  await expect.poll(() => far.length).toBe(2);
  const failed = once(far[1] as Socket, 'error');
  other.resetAndDestroy();
  expect((await failed)[0]).toMatchObject({ code: 'ECONNRESET' });
  expect(await talk(Number(dead.port), 'anybody?')).toBe('ECONNRESET');
});

it('publishes UDP: each sender is a flow of its own', async () => {
  const server = await lab.start();
  const service = createSocket('udp4').on('message', (bytes, from) => service.send(`${bytes} to ${from.port}`, from.port));
  await new Promise<void>((resolve) => service.bind(0, '127.0.0.1', resolve));
  lab.closes(() => service.close());
  const log = await lab.publish(server, 'home', [`game=udp:localhost:${service.address().port}@${lab.firstPort + 3}`]);
  expect(await log.next('published')).toMatchObject({ kind: 'udp', port: lab.firstPort + 3 });
  const answers: string[] = [];
  for (const name of ['one', 'two']) {
    const client = createSocket('udp4').on('message', (bytes) => answers.push(String(bytes)));
    lab.closes(() => client.close());
    client.send(name, lab.firstPort + 3, '127.0.0.1');
  }
  await expect.poll(() => answers.length).toBe(2);
  const ports = answers.map((answer) => answer.split(' to ')[1]);
  expect(new Set(ports).size).toBe(2);
});

it('keeps ports and names with the computer that has them', async () => {
  const server = await lab.start();
  const port = await lab.service(echo);
  const where = lab.firstPort + 1;
  const mine = await lab.publish(server, 'home', [`a=tcp:${port}@${where}`, `b=http:${port}@www.example.org`]);
  await mine.next('published', { name: 'b' });
  const theirs = await lab.publish(server, 'other', [`a=tcp:${port}@${where}`, `b=http:${port}@WWW.example.org.`, `c=https:${port}@www.example.org`]);
  expect(await theirs.next('unpublished', { name: 'a' })).toMatchObject({ reason: 'port-taken' });
  expect(await theirs.next('unpublished', { name: 'b' })).toMatchObject({ reason: 'host-taken' });
  expect(await theirs.next('unpublished', { name: 'c' })).toMatchObject({ reason: 'host-taken' });
  await mine.publisher.stop();
  const later = await lab.publish(server, 'other', [`d=tcp:${port}@${where}`]);
  expect(await later.next('published')).toMatchObject({ port: where });
});

it('takes only what its settings allow', async () => {
  const server = await lab.start({ allow: ['not-this-one'] });
  const port = await lab.service(echo);
  const log = await lab.publish(server, 'home', [`tcp:${port}`]);
  expect(await log.next('offline')).toMatchObject({ error: { code: 'PUBLISH_NOT_ALLOWED' } });
  await lab.closeServer(server);
  const outside = await lab.publish(await lab.start({ limits: { maxServicesPerPeer: 2 } }), 'away', [
    `a=tcp:${port}@${lab.firstPort + 10}`,
    `b=tcp:${port}`,
    `c=http:${port}`,
    `d=tcp:${port}`,
    `e=tcp:${port}`,
  ]);
  expect(await outside.next('unpublished', { name: 'a' })).toMatchObject({ reason: 'port-outside' });
  expect(await outside.next('unpublished', { name: 'c' })).toMatchObject({ reason: 'host-needed' });
  expect(await outside.next('unpublished', { name: 'e' })).toMatchObject({ reason: 'quota' });
});

it('says so when the server publishes nothing', async () => {
  const server = await lab.server('plain');
  const log = await lab.publish(server, 'home', ['tcp:22']);
  expect(await log.next('offline')).toMatchObject({ error: { code: 'PUBLISH_NOT_OFFERED' } });
});

it('lets in only listed networks, and as many at once as the service takes', async () => {
  const server = await lab.start();
  const port = await lab.service(echo);
  const log = await lab.publish(server, 'home', [`tcp:${port}`], { allow: ['127.0.0.8/29', '::1'], maxConnections: 1 });
  const published = Number((await log.next('published')).port);
  expect(await talk(published, 'hello', '127.0.0.9')).toBe('hello');
  expect(await talk(published, 'hello', '127.0.0.1')).toBe('ECONNRESET');
  const held = connect({ host: '127.0.0.1', port: published, localAddress: '127.0.0.10' });
  held.write('x');
  await once(held, 'data');
  expect(await talk(published, 'hello', '127.0.0.9')).toBe('ECONNRESET');
  held.destroy();
  expect(server.stats()).toMatchObject({ 'published-address-not-allowed': 1, 'published-quota': 1 });
});

it('goes round among the programs behind a service, and past those that are gone', async () => {
  const server = await lab.start();
  const ports = await Promise.all(['a', 'b', 'c'].map((name) => lab.service((socket) => void socket.end(name))));
  const log = await lab.publish(server, 'home', [`tcp:${[...ports, 1].map((port) => `127.0.0.1:${port}`).join(',')}@${lab.firstPort}`]);
  await log.next('published');
  const answers: string[] = [];
  for (let i = 0; i < 8; i++) answers.push(await talk(lab.firstPort, ''));
  expect(answers.toSorted().join('')).toMatch(/^a+b+c+$/);
  // Two connections of one computer stand behind one port, too.
  const second = await lab.publish(server, 'home', [`tcp:${await lab.service((socket) => void socket.end('d'))}@${lab.firstPort}`]);
  await second.next('published');
  const more: string[] = [];
  for (let i = 0; i < 4; i++) more.push(await talk(lab.firstPort, ''));
  expect(more.filter((answer) => answer === 'd')).toHaveLength(2);
});

it('publishes again by itself, at the same ports, when the server comes back', async () => {
  const server = await lab.start();
  const { ports } = server;
  const port = await lab.service(echo);
  const log = await lab.publish(server, 'home', [`tcp:${port}`]);
  const before = await log.next('published');
  await lab.closeServer(server);
  expect(await log.next('unpublished')).toMatchObject({ reason: 'shutting-down' });
  await lab.start({ ports });
  expect(await log.next('published', {}, 2)).toEqual(before);
  expect(await talk(Number(before.port), 'again')).toBe('again');
});
