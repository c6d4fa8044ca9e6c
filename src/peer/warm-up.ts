/**
 * Runs every step of an exchange once on made-up data. The engine compiles code at its first use, WebAssembly too; without
 * this the first connection of a process would pay for it step by step, while both sides and the server wait.
 */
import { randomBytes } from 'node:crypto';
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

const KEY_BYTES = 32;

/** Takes some milliseconds; part of starting a process. */
export async function warmUp(): Promise<void> {
  await initCrypto();
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
