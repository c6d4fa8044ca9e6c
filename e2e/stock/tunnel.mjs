// Both ends of a stock tunnel (session §2, §7): one login for each TCP connection, then its bytes as they are, not encrypted.
import { createHash, randomInt, timingSafeEqual } from 'node:crypto';
import net from 'node:net';
import sodium from 'libsodium-wrappers';
import { bytes, decodeFields, encodeFields, int, text } from './protobuf.mjs';
import { frame, ID_PK } from './wire.mjs';

await sodium.ready;

const SESSION = {
  signedId: [3, { id: bytes(1) }],
  publicKey: [4, { asymmetricValue: bytes(1), symmetricValue: bytes(2) }],
  testDelay: [5, { time: int(1), fromClient: int(2), lastDelay: int(3), targetBitrate: int(4) }],
  loginRequest: [7, { username: text(1), password: bytes(2), myId: text(4), myName: text(5), sessionId: int(10), version: text(11), myPlatform: text(13), portForward: [8, { host: text(1), port: int(2) }] }],
  loginResponse: [8, { error: text(1), peerInfo: [2, { username: text(1), hostname: text(2), platform: text(3), version: text(7) }] }],
  hash: [9, { salt: text(1), challenge: text(2) }],
};
const SALT_ALPHABET = '23456789abcdefghijkmnpqrstuvwxyz';
const CONNECT_LIMIT_MS = 3_000;

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const proofOf = (password, { salt = '', challenge = '' }) => sha256(sha256(password, salt), challenge);
const randomText = (length) => Array.from({ length }, () => SALT_ALPHABET[randomInt(SALT_ALPHABET.length)]).join('');

/** Messages on a socket, one after the other, so that what follows the last one is left as it came (§7.5). */
class Wire {
  #buffer = Buffer.alloc(0);
  #wake = () => {};
  #key = null;
  #sent = 0n;
  #received = 0n;

  constructor(socket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', this.#onData);
    socket.on('close', () => this.#wake());
  }

  #onData = (chunk) => {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    this.#wake();
  };

  /** From the next message on, both ways (§0.3). */
  encrypt(key) {
    this.#key = key;
  }

  /** All in one write. */
  send(...messages) {
    const payloads = messages.map((message) => encodeFields(SESSION, message));
    this.socket.write(Buffer.concat(payloads.map((plain) => frame(this.#key ? sodium.crypto_secretbox_easy(plain, nonce(++this.#sent), this.#key) : plain))));
  }

  async next() {
    for (;;) {
      const payload = this.#takeFrame();
      if (payload) return decodeFields(SESSION, this.#key ? sodium.crypto_secretbox_open_easy(payload, nonce(++this.#received), this.#key) : payload);
      if (this.socket.destroyed || this.socket.readableEnded) throw new Error('closed');
      await new Promise((resolve) => (this.#wake = resolve));
    }
  }

  /** From here on the socket carries bytes; those that are here already are read first. */
  raw() {
    this.socket.off('data', this.#onData);
    this.socket.pause();
    if (this.#buffer.length > 0) this.socket.unshift(this.#buffer);
    return this.socket;
  }

  #takeFrame() {
    const have = this.#buffer;
    const size = have.length === 0 ? 1 : (have[0] & 3) + 1;
    if (have.length < size) return null;
    const end = size + (have.readUIntLE(0, size) >>> 2);
    if (have.length < end) return null;
    this.#buffer = have.subarray(end);
    return have.subarray(size, end);
  }
}

/** The first eight bytes count, the others are zero (§0.3). */
function nonce(count) {
  const out = Buffer.alloc(24);
  out.writeBigUInt64LE(count);
  return out;
}

/** The end of either half ends the whole (§7.8). */
function joinRaw(one, other) {
  for (const [from, to] of [[one, other], [other, one]]) {
    from.pipe(to);
    from.on('error', () => {});
    from.on('close', () => to.destroySoon());
  }
}

export const signingKey = () => sodium.crypto_sign_keypair();

/** The controlled side: takes one connection. `signSecret` belongs to the key that is registered under `id`. */
export async function serveTunnel(socket, { id, signSecret, password, say }) {
  const wire = new Wire(socket);
  const own = sodium.crypto_box_keypair();
  const signed = encodeFields(ID_PK, { id, pk: own.publicKey });
  wire.send({ signedId: { id: sodium.crypto_sign(signed, signSecret) } });
  const { publicKey } = await wire.next();
  const encrypted = publicKey?.asymmetricValue?.length === 32;
  if (encrypted) wire.encrypt(sodium.crypto_box_open_easy(publicKey.symmetricValue, Buffer.alloc(24), publicKey.asymmetricValue, own.privateKey));
  const hash = { salt: randomText(32), challenge: randomText(6) };
  wire.send({ hash });
  const request = (await wire.next()).loginRequest;
  say('login', { from: request?.myId ?? '', to: request?.username ?? '', encrypted, target: request?.portForward ?? null });
  const refuse = (error) => {
    wire.send({ loginResponse: { error } });
    socket.end();
  };
  if (!request?.portForward) return refuse('Connection not allowed');
  if (!request.password || !timingSafeEqual(request.password, proofOf(password, hash))) return refuse('Wrong Password');
  const { host = 'localhost', port = 0 } = request.portForward;
  const target = await dialTarget(host, port).catch(() => null);
  if (!target) return refuse(`Failed to access remote ${host}:${port}. Please make sure it is reachable/open.`);
  // The heartbeat falls just before the answer; raw begins when it has come back (§7.5).
  wire.send({ testDelay: { time: 1, lastDelay: 3 } }, { loginResponse: { peerInfo: { username: 'user', hostname: 'stock', platform: 'Linux', version: '1.4.6' } } });
  if (!(await wire.next()).testDelay) throw new Error('no echo before the first byte');
  joinRaw(wire.raw(), target);
}

function dialTarget(host, port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port }, () => resolve(socket.setTimeout(0)));
    socket.once('error', reject).setTimeout(CONNECT_LIMIT_MS, () => socket.destroy(new Error('timeout')));
  });
}

/** The controlling side, over a connection that has been made: logs in, and gives the socket that is raw now. */
async function enterTunnel(socket, { id, hostPk, password, target }) {
  const wire = new Wire(socket);
  const { signedId } = await wire.next();
  const { id: signedFor, pk } = decodeFields(ID_PK, sodium.crypto_sign_open(signedId.id, hostPk));
  if (signedFor !== id) throw new Error(`the key of ${signedFor}`);
  const own = sodium.crypto_box_keypair();
  const key = sodium.crypto_secretbox_keygen();
  wire.send({ publicKey: { asymmetricValue: own.publicKey, symmetricValue: sodium.crypto_box_easy(key, Buffer.alloc(24), pk, own.privateKey) } });
  wire.encrypt(key);
  for (;;) {
    const { hash, testDelay, loginResponse } = await wire.next();
    if (testDelay) wire.send({ testDelay });
    if (hash) {
      const login = { username: id, password: proofOf(password, hash), myId: '987654321', myName: 'stock', version: '1.4.6', myPlatform: 'Linux', sessionId: randomInt(2 ** 40) };
      wire.send({ loginRequest: { ...login, portForward: target } });
    }
    if (loginResponse?.error) throw new Error(loginResponse.error);
    if (loginResponse?.peerInfo) return wire.raw();
  }
}

/** Listens, and makes one connection to the peer for each client (§7): `reach` gives `{socket, path, hostPk}`. */
export function listenForTunnel({ id, password, target, say }, reach) {
  const server = net.createServer({ pauseOnConnect: true }, (client) => {
    client.on('error', () => {});
    reach()
      .then(async ({ socket, path, hostPk }) => {
        const raw = await enterTunnel(socket, { id, hostPk, password, target });
        say('tunnel', { path });
        joinRaw(client, raw);
      })
      .catch((error) => {
        say('refused', { error: error.message });
        client.destroy();
      });
  });
  server.listen(0, '127.0.0.1', () => say('listening', { port: server.address().port }));
}
