/** Publishers, servers and visitors that do what they should not. */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../../test/lib/ports.ts';
import { PublishLab } from '../../../test/lib/publish.ts';
import { systemClock } from '../../core/clock.ts';
import { boxKeyPair, signKeyPair } from '../../core/crypto/index.ts';
import { Mux, type MuxEnd, type MuxStream, type StreamTarget } from '../../core/mux/index.ts';
import { CONTROL_SERVICE, encodeControl, INSTANCE_BYTES, PUBLISH_SERVER_ID } from '../../core/publish/index.ts';
import { decodeRendezvous, encodeFrame, encodeMessage, encodeRendezvous, hbb } from '../../core/wire/index.ts';
import { secureAsHost, TcpLink } from '../../net/index.ts';
import { IdentityStore } from '../../peer/identity.ts';
import { connectToPublish } from '../../peer/publish/server-connection.ts';
import { parseServer } from '../../peer/server-address.ts';
import { formatInvitation } from '../../shared/invitation.ts';
import type { RunningServer } from '../index.ts';
import { tcpClient } from '../test-wire.ts';

let lab: PublishLab;
beforeEach(() => {
  lab = new PublishLab();
});
afterEach(() => lab.end());

const { Result } = hbb.PublishReply;
const echo = (socket: Socket): void => void socket.pipe(socket);
const hello = encodeRendezvous({ publishHello: { version: 1, instance: new Uint8Array(INSTANCE_BYTES) } });

function ask(port: number, say = 'hello'): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    let text = '';
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.on('end', () => {
      resolve(text);
      socket.destroy();
    });
    socket.on('error', (error) => resolve((error as NodeJS.ErrnoException).code ?? 'error'));
    socket.end(say);
  });
}

/** A mux to the server with the identity of a peer, as its publisher would have it. */
async function muxTo(server: RunningServer, name: string): Promise<{ mux: Mux; end: Promise<MuxEnd> }> {
  const identity = new IdentityStore(join(lab.dir, name), (count) => new Uint8Array(count).fill(7)).current;
  const link = await connectToPublish({
    server: parseServer(server.invitation),
    identity,
    instance: new Uint8Array(INSTANCE_BYTES).fill(9),
    signal: AbortSignal.timeout(5_000),
  });
  const mux = new Mux({ link, clock: systemClock, role: 'connecting' });
  return { mux, end: mux.end ? Promise.resolve(mux.end) : new Promise((resolve) => mux.on('closed', resolve)) };
}

describe('a publisher', () => {
  it('comes no further than the key exchange without a key of its own, and in no other way than the native one', async () => {
    const server = await lab.start();
    const says: readonly Uint8Array[] = [
      encodeFrame(new Uint8Array(0)),
      encodeFrame(encodeMessage({ publicKey: { asymmetricValue: boxKeyPair(new Uint8Array(32).fill(1)).publicKey, symmetricValue: new Uint8Array(48) } })),
      encodeFrame(encodeMessage({ publicKey: { native: { version: 1 } } })),
      Buffer.from('garbage that announces a long frame'),
    ];
    for (const say of says) {
      const client = await tcpClient(server.ports.rendezvous, '127.0.0.1');
      client.send(hello);
      expect(decodeRendezvous((await client.inbox.next()) ?? new Uint8Array(0)).publishReply?.result).toBe(Result.OK);
      client.sendRaw(say);
      while (await client.inbox.next());
    }
    expect(server.stats()).toMatchObject({ publishers: 0 });
    expect(server.stats()['publisher-handshake-failed']).toBe(says.length);
  });

  it('cannot be another computer by taking its ID', async () => {
    const server = await lab.start();
    const port = await lab.service(echo);
    const victim = await lab.publish(server, 'victim', [`tcp:${port}@${lab.firstPort}`]);
    await victim.next('published');
    const { id } = JSON.parse(readFileSync(join(lab.dir, 'victim', 'identity.json'), 'utf8')) as { id: string };
    await lab.peer('evil', server.invitation);
    const file = join(lab.dir, 'evil', 'identity.json');
    const identity = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
    writeFileSync(file, JSON.stringify({ ...identity, id }));
    const { end } = await muxTo(server, 'evil');
    expect(await end).toMatchObject({ by: 'remote', reason: 'not-registered' });
    // Its program gets it an ID of its own, and then it is a stranger.
    const log = await lab.publish(server, 'evil', [`tcp:${port}@${lab.firstPort}`]);
    expect(await log.next('unpublished')).toMatchObject({ reason: 'port-taken' });
  });

  it('is ended when it opens other streams in numbers, sends what is no message, or too many', async () => {
    const server = await lab.start({ limits: { maxPublishMessages: 5 } });
    await (await lab.publish(server, 'home', ['tcp:1'])).next('published');
    const other = await muxTo(server, 'home');
    const control = other.mux.open({ kind: 'service', name: CONTROL_SERVICE });
    const reset = (target: StreamTarget): Promise<string | undefined> =>
      new Promise((resolve) => other.mux.open(target).setHandlers({ onClose: (error) => resolve(error?.code) }));
    // Nobody gets at the server's own network through it.
    expect(await reset({ kind: 'tcp', host: '127.0.0.1', port: server.ports.rendezvous })).toBe('unknown-service');
    expect(await reset({ kind: 'service', name: CONTROL_SERVICE })).toBe('unknown-service');
    control.write(encodeFrame(Buffer.from('no message')));
    expect(await other.end).toMatchObject({ by: 'remote', code: 'protocol' });
    const loud = await muxTo(server, 'home');
    const noise = loud.mux.open({ kind: 'service', name: CONTROL_SERVICE });
    for (let i = 0; i < 6; i++) noise.write(encodeControl({ type: 'withdraw', name: 'nothing' }));
    expect(await loud.end).toMatchObject({ by: 'remote', code: 'protocol', reason: 'too many messages' });
  });

  it('takes the place of a connection of the same run that may be dead', async () => {
    const server = await lab.start();
    await (await lab.publish(server, 'home', ['tcp:1'])).next('published');
    const first = await muxTo(server, 'home');
    await muxTo(server, 'home');
    expect(await first.end).toMatchObject({ by: 'remote', reason: 'connected anew' });
    expect(server.stats().publishers).toBe(2);
  });
});

it('reaches through the publisher only what it published, whatever the server asks for', async () => {
  const pair = signKeyPair(new Uint8Array(32).fill(3));
  const results: string[] = [];
  const ended = new Promise<void>((resolve) => {
    // A server that has the right key and the wrong intentions.
    const evil = createServer((socket) => {
      const link = new TcpLink(socket);
      link.setHandlers({
        onFrame: (payload) => {
          if (!decodeRendezvous(payload).publishHello) return;
          link.send(encodeRendezvous({ publishReply: { result: Result.OK } }));
          void secureAsHost(link, { id: PUBLISH_SERVER_ID, signSecretKey: pair.secretKey, allowPlaintext: false, native: { findSession: () => null } }).then(
            async (secured) => {
              const mux = new Mux({ link: secured, clock: systemClock, role: 'accepting', onStream: (stream: MuxStream) => stream.accept() });
              const targets: readonly StreamTarget[] = [
                { kind: 'tcp', host: '127.0.0.1', port: 22 },
                { kind: 'udp', host: '169.254.169.254', port: 80 },
                { kind: 'service', name: 'home' },
                { kind: 'published', name: 'other', remoteAddress: '192.0.2.1:1' },
              ];
              for (const target of targets)
                results.push(await new Promise((done) => mux.open(target).setHandlers({ onClose: (error) => done(error?.code ?? 'ended') })));
              resolve();
            },
          );
        },
        onClose: () => {},
      });
    });
    lab.closes(() => void evil.close());
    void freePorts().then((port) => {
      evil.listen(port, '127.0.0.1', () => {
        const key = Buffer.from(pair.publicKey).toString('base64');
        void lab.peer('home', formatInvitation({ host: '127.0.0.1', port, key })).then((peer) => lab.publish({} as RunningServer, peer, ['home=tcp:22']));
      });
    });
  });
  await ended;
  expect(results).toEqual(['unknown-service', 'unknown-service', 'unknown-service', 'unknown-service']);
});

it('does not talk to a server with another key, and follows one that was replaced by its own word', async () => {
  const server = await lab.start();
  const { invitation } = server;
  const wrong = await lab.peer('careful', invitation, { key: Buffer.from(signKeyPair(new Uint8Array(32).fill(5)).publicKey).toString('base64') });
  const refused = await lab.publish(server, wrong, ['tcp:22']);
  expect(await refused.next('offline')).toMatchObject({ error: { code: 'HANDSHAKE_BAD_SIGNATURE' } });
  server.rotateKey(3_600_000);
  expect(server.invitation).not.toBe(invitation);
  const port = await lab.service(echo);
  const peer = await lab.peer('home', invitation);
  const log = await lab.publish(server, peer, [`tcp:${port}`]);
  expect(await ask(Number((await log.next('published')).port))).toBe('hello');
});

it('comes over WebSocket and the single port, too', async () => {
  const single = await freePorts();
  const server = await lab.start({ ports: { rendezvous: 0, single } });
  const port = await lab.service(echo);
  for (const scheme of ['ws', 'single']) {
    const peer = await lab.peer(`home-${scheme}`, `${scheme}://127.0.0.1:${single}`, { key: server.publicKey });
    const log = await lab.publish(server, peer, [`${scheme}=tcp:${port}`]);
    const long = 'x'.repeat(1_000_000);
    expect(await ask(Number((await log.next('published')).port), long)).toBe(long);
  }
});

it('serves others while many connections are not read, and holds little for them', async () => {
  const server = await lab.start();
  const chunk = Buffer.alloc(64 * 1024);
  const port = await lab.service((socket) => {
    const write = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    };
    socket.on('drain', write);
    write();
  });
  const other = await lab.service(echo);
  const log = await lab.publish(server, 'home', [`flood=tcp:${port}`, `echo=tcp:${other}`]);
  const flood = Number((await log.next('published', { name: 'flood' })).port);
  const stuck = Array.from({ length: 12 }, () => connect({ host: '127.0.0.1', port: flood }).pause());
  lab.closes(() => stuck.forEach((socket) => socket.destroy()));
  await expect.poll(() => server.stats().publishedConnections, { timeout: 20_000 }).toBe(12);
  const long = 'x'.repeat(2_000_000);
  const echoPort = Number((await log.next('published', { name: 'echo' })).port);
  for (let i = 0; i < 3; i++) expect((await ask(echoPort, long)).length).toBe(long.length);
  expect(server.stats()['published-overloaded']).toBeUndefined();
});
