/**
 * Runs every step of an exchange once on made-up data. The engine compiles code at its first use, WebAssembly too; without
 * this the first connection of a process would pay for it step by step, while both sides and the server wait.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
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
import type { NativeState } from '../core/native/contract.ts';
import { PasswordLoginController, PasswordLoginHost } from '../core/native/password-login.ts';
import { dialTcp, secureAsController, secureAsHost, TcpLink } from '../net/index.ts';
import { createPunchSocket } from '../net/punch-udp.ts';

const KEY_BYTES = 32;
/** A machine whose loopback does not work has other worries. */
const LOOPBACK_LIMIT_MS = 250;

/** Takes some milliseconds; part of starting a process. Never fails for want of a network. */
export async function warmUp(): Promise<void> {
  await initCrypto();
  try {
    await Promise.all([rehearseTcp(AbortSignal.timeout(LOOPBACK_LIMIT_MS)), rehearseUdp()]);
  } catch {
    // What could not be rehearsed is slower the first time.
  }
  rehearseMessages();
}

/** A key exchange over the loopback. */
async function rehearseTcp(signal: AbortSignal): Promise<void> {
  const server = createServer().listen(0, '127.0.0.1');
  try {
    await once(server, 'listening', { signal });
    const { port } = server.address() as AddressInfo;
    const sign = signKeyPair(randomBytes(KEY_BYTES));
    const options = { allowPlaintext: false, signal };
    const accepted = once(server, 'connection', { signal }).then(([socket]) =>
      secureAsHost(new TcpLink(socket as Socket), {
        ...options,
        id: '1',
        signSecretKey: sign.secretKey,
        native: { findSession: () => null },
      }),
    );
    const dialled = dialTcp({ host: '127.0.0.1', port, reusable: true, signal }).then((socket) =>
      secureAsController(new TcpLink(socket), {
        ...options,
        peerId: '1',
        hostKey: sign.publicKey,
        native: { identity: { id: '1', ...sign } },
      }),
    );
    const links = await Promise.all([accepted, dialled]);
    for (const link of links) link.destroy();
    if (links[0].native) rehearseLogin(links[0].native);
  } finally {
    server.close();
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
