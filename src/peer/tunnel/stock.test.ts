/** Tunnels with stock peers (session §7): their side is written here from the specification, byte for byte on a socket. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../core/clock.ts';
import { initCrypto, passwordHash, passwordProof } from '../../core/crypto/index.ts';
import { ControllerSession, HostAuthenticator, HostSession } from '../../core/session/index.ts';
import { decodeMessage, encodeMessage, FrameDecoder, encodeFrame, type hbb } from '../../core/wire/index.ts';
import { plainSecured, TcpLink } from '../../net/index.ts';
import { socketPair } from '../../net/test-pairs.ts';
import type { Connected, ConnectOptions } from '../peer.ts';
import type { StreamAudit } from './dialer.ts';
import { parseTunnelRule } from './rule-text.ts';
import { stockForward } from './stock-forward.ts';
import { serve } from './test-rig.ts';
import { TunnelHost } from './tunnel-host.ts';

const cleanUp: (() => void)[] = [];
beforeAll(() => initCrypto());
afterEach(() => {
  for (const done of cleanUp.splice(0).reverse()) done();
});

const random = (count: number): Uint8Array => new Uint8Array(count).fill(7);

/** A stock peer's end of a connection: framed messages, then bytes. */
class StockEnd {
  readonly socket: Socket;
  readonly #decoder = new FrameDecoder();
  readonly #inbox: hbb.Message[] = [];
  readonly #raw: Buffer[] = [];
  #isRaw = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', () => this.#wake());
    socket.on('data', (chunk: Buffer) => {
      let rest: Uint8Array = chunk;
      while (!this.#isRaw) {
        const frame = this.#decoder.pushOne(rest);
        rest = new Uint8Array();
        if (!frame) break;
        const message = decodeMessage(frame);
        this.#inbox.push(message);
        // What follows the answer to a login is raw (§7.4).
        if (message.loginResponse?.peerInfo) {
          this.#isRaw = true;
          rest = this.#decoder.takeRest();
        }
      }
      if (this.#isRaw && rest.length > 0) this.#raw.push(Buffer.from(rest));
      this.#wake();
    });
  }

  send(message: hbb.IMessage): void {
    this.socket.write(encodeFrame(encodeMessage(message)));
    if (message.loginResponse?.peerInfo) this.#isRaw = true;
  }

  async next(): Promise<hbb.Message | null> {
    while (this.#inbox.length === 0) {
      if (this.socket.destroyed) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#inbox.shift() ?? null;
  }

  async raw(length: number): Promise<string> {
    while (Buffer.concat(this.#raw).length < length && !this.socket.destroyed)
      await new Promise<void>((resolve) => (this.#wake = resolve));
    return Buffer.concat(this.#raw).toString();
  }
}

/** Our host with these rules, and a stock controller that asks it for a tunnel; answers what the login came to. */
async function stockController(rules: readonly string[], target: { host: string; port: number }) {
  const [near, far, listener] = await socketPair();
  cleanUp.push(() => listener.close(), () => near.destroy());
  const audits: StreamAudit[] = [];
  const host = new TunnelHost({ audit: (line) => audits.push(line), onViolation: () => {} });
  host.setRules(rules.map(parseTunnelRule));
  const link = plainSecured(new TcpLink(far));
  const authenticator = new HostAuthenticator({ clock: systemClock, random, salt: 'salty1' });
  const session: HostSession = new HostSession({
    link,
    clock: systemClock,
    random,
    ownId: '123',
    authenticator,
    permissions: { keyboard: false, clipboard: false, audio: false, file: false, restart: false, recording: true, blockInput: false, privacyMode: false },
    desktop: null,
    hostInfo: { hostname: 'h', username: 'u', platform: 'Linux' },
    streams: true,
    onPortForward: (name, port, signal) =>
      host.portForward({ link, asker: { peerId: '9', proven: false }, host: name, port, signal, onEnd: () => session.disconnect() }),
  });
  const closed = new Promise((resolve) => session.on('closed', resolve));
  session.start();
  const stock = new StockEnd(near);
  for (;;) {
    const message = await stock.next();
    if (message?.testDelay) stock.send({ testDelay: message.testDelay });
    if (message?.hash) {
      const { salt, challenge } = message.hash;
      const password = passwordProof(passwordHash(authenticator.oneTimePassword, salt ?? ''), challenge ?? '');
      stock.send({ loginRequest: { username: '123', password, myId: '9', portForward: target } });
    }
    if (message === null || message.loginResponse) return { stock, response: message?.loginResponse, audits, closed };
  }
}

test('a stock controller gets its tunnel where a rule allows it, and raw bytes from the answer on', async () => {
  const { server, port } = await serve((socket) => socket.pipe(socket));
  cleanUp.push(() => server.close());
  const { stock, response, audits, closed } = await stockController([`tcp:localhost:${port}`], { host: '', port });
  expect(response?.peerInfo).toBeTruthy();
  stock.socket.write('raw both ways');
  expect(await stock.raw(13)).toBe('raw both ways');
  stock.socket.end();
  await closed;
  expect(audits).toMatchObject([{ target: `tcp:localhost:${port}`, allowed: true, bytesIn: 13, bytesOut: 13 }]);
});

test('without a rule, or without one for this place, it is told so in the wire’s own words', async () => {
  for (const rules of [[], ['tcp:10.0.0.0/8:*'], ['any']]) {
    const { response, audits } = await stockController(rules, { host: '127.0.0.1', port: 22 });
    expect(response?.error).toBe('No permission of IP tunneling');
    expect(audits).toMatchObject([{ target: 'tcp:127.0.0.1:22', allowed: false, code: 'refused-by-rule' }]);
  }
});

test('a place that is allowed and not there is named', async () => {
  const { server, port } = await serve(() => {});
  server.close();
  const { response } = await stockController([`tcp:127.0.0.1:${port}`], { host: '127.0.0.1', port });
  expect(response?.error).toBe(`Failed to access remote 127.0.0.1:${port}. Please make sure it is reachable/open.`);
});

/** A stock host as §7 has it: it asks for an echo before it answers the login. */
async function stockHost(answer: hbb.ILoginResponse) {
  const [near, far, listener] = await socketPair();
  cleanUp.push(() => listener.close(), () => far.destroy());
  const stock = new StockEnd(far);
  stock.send({ hash: { salt: 'salty1', challenge: 'challenge' } });
  const link = plainSecured(new TcpLink(near));
  const connectPeer = async (_: string, options: ConnectOptions): Promise<Connected> => ({
    session: new ControllerSession({
      link,
      clock: systemClock,
      random,
      peerId: '123',
      myId: '9',
      myName: 'n',
      platform: 'Linux',
      sessionId: 1n,
      decoding: { vp8: true, vp9: true, av1: true, h264: true },
      kind: options.kind ?? 'desktop',
      password: options.password ?? '',
      ...(options.portForward ? { portForward: options.portForward } : {}),
      ...(options.onRawMode ? { onRawMode: options.onRawMode } : {}),
    }),
    link,
    firstLink: link,
    paths: [],
    onPathChange: () => () => {}, onSearching: () => () => {},
    peerId: '123',
    path: 'tcp',
    localAddress: '',
    remoteAddress: '',
    encrypted: true,
    peerVerified: true,
    elapsedMs: 0,
    attempts: [],
  });
  const [client, local, localListener] = await socketPair();
  cleanUp.push(() => localListener.close(), () => client.destroy());
  // Before the login is through: it waits, and goes first (§7.7).
  client.write('early ');
  const login = (async () => {
    const request = (await stock.next())?.loginRequest;
    stock.send({ testDelay: { time: 5n } });
    const echo = (await stock.next())?.testDelay;
    stock.send({ loginResponse: answer });
    return { request, echo };
  })();
  const done = stockForward({
    peer: { connect: connectPeer },
    target: '123',
    connect: { password: 'secret' },
    host: 'inside.example',
    port: 80,
    socket: local,
    signal: new AbortController().signal,
    onConnected: () => {},
  });
  return { stock, client, login, done, far };
}

test('through a stock host: a login for the connection, its echo first, then every byte as it is', async () => {
  const { client, login, done, far, stock } = await stockHost({ peerInfo: {} });
  const { request, echo } = await login;
  expect(request?.portForward).toMatchObject({ host: 'inside.example', port: 80 });
  expect(echo?.time).toBe(5n);
  far.write('answer');
  client.write('late');
  expect(String((await once(client, 'data'))[0])).toBe('answer');
  expect(await stock.raw(10)).toBe('early late');
  const rest = buffer(client);
  far.end();
  client.end();
  await rest;
  await done;
});

test('a stock host that refuses is quoted', async () => {
  const { login, done } = await stockHost({ error: 'No permission of IP tunneling' });
  const failed = expect(done).rejects.toMatchObject({ code: 'LOGIN_KIND_REFUSED' });
  await login;
  await failed;
});
