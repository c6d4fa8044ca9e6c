/**
 * Runs every step of an exchange once on made-up data. The engine compiles code at its first use, WebAssembly too; without
 * this the first connection of a process would pay for it step by step, while both sides and the server wait.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import {
  boxKeyPair,
  initCrypto,
  openIdPk,
  openSessionKey,
  passwordHash,
  SealedStream,
  sealSessionKey,
  signIdPk,
  signKeyPair,
} from '../core/crypto/index.ts';
import {
  decodeMessage,
  decodeRendezvous,
  encodeMessage,
  encodeRendezvous,
  FrameDecoder,
  encodeFrame,
  mangleAddress,
  unmangleAddress,
} from '../core/wire/index.ts';
import type { SignKeyPair } from '../core/crypto/sign.ts';
import type { NativeState } from '../core/native/contract.ts';
import { PasswordLoginController, PasswordLoginHost } from '../core/native/password-login.ts';
import { secureAsHost, TcpLink } from '../net/index.ts';
import { createPunchSocket } from '../net/punch-udp.ts';
import { connectPeer } from './connector.ts';

const KEY_BYTES = 32;
/** A machine whose loopback does not work has other worries. */
const LOOPBACK_LIMIT_MS = 250;
/** The first round compiles what it runs, the next ones make it fast; the sixth gains what it costs. */
const ROUNDS = 5;
/** On a slow machine fewer rounds are better: somebody waits for them. */
const ROUNDS_LIMIT_MS = 80;

/** Takes less than a tenth of a second; part of starting a process. Never fails for want of a network. */
export async function warmUp(): Promise<void> {
  const started = performance.now();
  await initCrypto();
  try {
    for (let round = 0; round < ROUNDS && performance.now() - started < ROUNDS_LIMIT_MS; round++)
      await Promise.all([rehearseConnect(AbortSignal.timeout(LOOPBACK_LIMIT_MS)), rehearseUdp()]);
  } catch {
    // What could not be rehearsed is slower the first time.
  }
  rehearseMessages();
}

/** Finds a peer through a server and exchanges keys with it; both are made up here, on the loopback. */
async function rehearseConnect(signal: AbortSignal): Promise<void> {
  const [server, host] = [createServer().listen(0, '127.0.0.1'), createServer().listen(0, '127.0.0.1')];
  try {
    await Promise.all([once(server, 'listening', { signal }), once(host, 'listening', { signal })]);
    const portOf = (each: Server): number => (each.address() as AddressInfo).port;
    const [serverKey, hostKey, controllerKey] = [0, 1, 2].map(() => signKeyPair(randomBytes(KEY_BYTES))) as [SignKeyPair, SignKeyPair, SignKeyPair];
    server.once('connection', (socket) => {
      const link = new TcpLink(socket);
      const answer = {
        socketAddr: mangleAddress({ host: '127.0.0.1', port: portOf(host) }),
        pk: signIdPk('1', hostKey.publicKey, serverKey.secretKey),
        isLocal: true,
      };
      link.setHandlers({ onFrame: () => link.send(encodeRendezvous({ punchHoleResponse: answer })), onClose: () => {} });
    });
    const accepted = once(host, 'connection', { signal }).then(([socket]) =>
      secureAsHost(new TcpLink(socket as Socket), {
        allowPlaintext: false,
        signal,
        id: '1',
        signSecretKey: hostKey.secretKey,
        native: { findSession: () => null },
      }),
    );
    const connected = connectPeer({
      server: { host: '127.0.0.1', port: portOf(server), key: Buffer.from(serverKey.publicKey).toString('base64') },
      peerId: '1',
      nat: 'unknown',
      path: 'lan',
      connType: 0,
      allowPlaintext: false,
      nativeOnly: true,
      pinned: null,
      identity: { id: '2', ...controllerKey },
      signal,
    });
    const [hostLink, { link, further }] = await Promise.all([accepted, connected]);
    further?.stop();
    for (const each of [hostLink, link]) each.destroy();
    if (hostLink.native) rehearseLogin(hostLink.native);
  } finally {
    server.close();
    host.close();
  }
}

function rehearseLogin(session: NativeState): void {
  const h1 = passwordHash('p', 's');
  const host = new PasswordLoginHost(session, [h1], randomBytes);
  const controller = PasswordLoginController.answer(session, host.shares, h1, randomBytes);
  if (controller) host.receive(controller.share, controller.tags);
}

/** A socket that hears itself. */
async function rehearseUdp(): Promise<void> {
  const socket = createPunchSocket('udp4');
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, LOOPBACK_LIMIT_MS);
      socket.once('error', reject);
      socket.once('message', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.bind(0, '127.0.0.1', () => socket.send(Buffer.alloc(1), socket.address().port, '127.0.0.1', () => {}));
    });
  } finally {
    socket.close();
  }
}

function rehearseMessages(): void {
  const sign = signKeyPair(randomBytes(KEY_BYTES));
  const [host, controller] = [boxKeyPair(randomBytes(KEY_BYTES)), boxKeyPair(randomBytes(KEY_BYTES))];
  const pk = signIdPk('1', host.publicKey, sign.secretKey);
  openIdPk(pk, sign.publicKey);
  const key = randomBytes(KEY_BYTES);
  const symmetricValue = sealSessionKey(key, host.publicKey, controller.secretKey);
  openSessionKey(symmetricValue, controller.publicKey, host.secretKey);
  const socketAddr = mangleAddress({ host: '192.0.2.1', port: 1 });
  unmangleAddress(socketAddr);
  for (const message of [
    { punchHoleRequest: { id: '1', licenceKey: 'k', version: '1', udpPort: 1 } },
    { punchHole: { socketAddr, relayServer: 'r', udpPort: 1 } },
    { punchHoleSent: { socketAddr, id: '1', relayServer: 'r', version: '1' } },
    { punchHoleResponse: { socketAddr, pk, relayServer: 'r', isUdp: true } },
    { requestRelay: { id: '1', uuid: 'u', relayServer: 'r', licenceKey: 'k', secure: true } },
    { relayResponse: { socketAddr, uuid: 'u', relayServer: 'r', pk } },
    { testNatRequest: { serial: 1 } },
    { testNatResponse: { port: 1 } },
  ])
    decodeRendezvous(encodeRendezvous(message));
  const [out, back] = [new SealedStream(key), new SealedStream(key)];
  const frames = new FrameDecoder();
  for (const message of [
    { signedId: { id: pk } },
    { publicKey: { asymmetricValue: controller.publicKey, symmetricValue } },
    { hash: { salt: 's', challenge: 'c' } },
    { loginRequest: { username: '1', password: passwordHash('p', 's'), myId: '2', myName: 'n', sessionId: 1n, option: {} } },
    { loginResponse: { peerInfo: { username: 'u', hostname: 'h', displays: [{ width: 1, height: 1 }] } } },
    { misc: { permissionInfo: { permission: 1, enabled: false } } },
    { testDelay: { time: 1n, fromClient: true } },
  ]) {
    const [frame] = frames.push(encodeFrame(out.seal(encodeMessage(message))));
    if (frame) decodeMessage(back.open(frame));
  }
}
