// The rendezvous wire as its specification has it, for a client that shares no code with what it tests:
// framing (§2), mangled addresses (§3), messages (§4).
import { createPublicKey, verify } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { bytes, decodeFields, encodeFields, int, text } from './protobuf.mjs';

/** An id with a key, which somebody signs: the server with the peer's signing key, the peer with that of one connection. */
export const ID_PK = { id: text(1), pk: bytes(2) };

// Field numbers of the messages that a stock client uses.
const MESSAGES = {
  registerPeer: [6, { id: text(1), serial: int(2) }],
  registerPeerResponse: [7, { requestPk: int(2) }],
  punchHoleRequest: [8, { id: text(1), natType: int(2), licenceKey: text(3), connType: int(4), version: text(6), udpPort: int(7), forceRelay: int(8), socketAddrV6: bytes(10) }],
  punchHole: [9, { socketAddr: bytes(1), relayServer: text(2), natType: int(3), udpPort: int(4), forceRelay: int(5), socketAddrV6: bytes(7) }],
  punchHoleSent: [10, { socketAddr: bytes(1), id: text(2), relayServer: text(3), natType: int(4), version: text(5), socketAddrV6: bytes(7) }],
  punchHoleResponse: [11, { socketAddr: bytes(1), pk: bytes(2), failure: int(3), relayServer: text(4), natType: int(5), isLocal: int(6), isUdp: int(9), socketAddrV6: bytes(11) }],
  fetchLocalAddr: [12, { socketAddr: bytes(1), relayServer: text(2), socketAddrV6: bytes(3) }],
  localAddr: [13, { socketAddr: bytes(1), localAddr: bytes(2), relayServer: text(3), id: text(4), version: text(5), socketAddrV6: bytes(6) }],
  registerPk: [15, { id: text(1), uuid: bytes(2), pk: bytes(3), oldId: text(4) }],
  registerPkResponse: [16, { result: int(1), keepAlive: int(2) }],
  requestRelay: [18, { id: text(1), uuid: text(2), socketAddr: bytes(3), relayServer: text(4), secure: int(5), licenceKey: text(6), connType: int(7), token: text(8) }],
  relayResponse: [19, { socketAddr: bytes(1), uuid: text(2), relayServer: text(3), id: text(4), pk: bytes(5), refuseReason: text(6), version: text(7), socketAddrV6: bytes(10) }],
  testNatRequest: [20, { serial: int(1) }],
  testNatResponse: [21, { port: int(1) }],
  onlineRequest: [23, { id: text(1), peers: text(2) }],
  onlineResponse: [24, { states: bytes(1) }],
  keyExchange: [25, { keys: bytes(1) }],
};

/** `encode('registerPeer', {id})`: the bytes of one RendezvousMessage. Defaults are left out. */
export function encode(name, fields = {}) {
  const [number, layout] = MESSAGES[name];
  return encodeFields({ [name]: [number, layout] }, { [name]: fields });
}

/** `{name, ...fields}`, or null when it is none of the above. Unset fields are absent. */
export function decode(data) {
  const [[name, fields] = []] = Object.entries(decodeFields(MESSAGES, data));
  return name === undefined ? null : { name, ...fields };
}

/** The IdPk that the server has signed; null for a forged one. */
export function signedIdPk(signed, serverKey) {
  const raw = Buffer.from(serverKey, 'base64');
  const key = createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki' });
  if (signed.length < 64 || !verify(null, signed.subarray(64), key, signed.subarray(0, 64))) return null;
  return decodeFields(ID_PK, signed.subarray(64));
}

export function frame(payload) {
  const n = payload.length;
  if (n <= 0x3f) return Buffer.concat([Buffer.from([n << 2]), payload]);
  const head = Buffer.alloc(2);
  head.writeUInt16LE(((n << 2) | 1) & 0xffff);
  if (n > 0x3fff) throw new Error('longer than a stock client sends');
  return Buffer.concat([head, payload]);
}

/** Takes chunks, gives whole payloads. */
export class Deframer {
  #buffer = Buffer.alloc(0);
  push(chunk) {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    const out = [];
    for (;;) {
      if (this.#buffer.length === 0) return out;
      const size = (this.#buffer[0] & 3) + 1;
      if (this.#buffer.length < size) return out;
      const length = this.#buffer.readUIntLE(0, size) >>> 2;
      if (this.#buffer.length < size + length) return out;
      out.push(this.#buffer.subarray(size, size + length));
      this.#buffer = this.#buffer.subarray(size + length);
    }
  }
  /** What came behind the last whole payload. */
  rest() {
    return this.#buffer;
  }
}

function groupsOf(host) {
  const [head, tail] = host.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const middle = tail === undefined ? [] : Array(8 - left.length - right.length).fill('0');
  return [...left, ...middle, ...right].map((group) => Number.parseInt(group, 16));
}

export function mangle({ host, port }) {
  const plain = host.replace(/^::ffff:/, '');
  if (isIPv6(plain)) {
    const out = Buffer.alloc(18);
    groupsOf(plain).forEach((group, i) => out.writeUInt16BE(group, i * 2));
    out.writeUInt16LE(port, 16);
    return out;
  }
  const tm = BigInt(Date.now() * 1000) & 0xffffffffn;
  const ip = BigInt(Buffer.from(plain.split('.').map(Number)).readUInt32LE(0));
  let v = ((ip + tm) << 49n) | (tm << 17n) | (BigInt(port) + (tm & 0xffffn));
  const out = Buffer.alloc(16);
  for (let i = 0; i < 16; i++, v >>= 8n) out[i] = Number(v & 0xffn);
  let end = 16;
  while (end > 0 && out[end - 1] === 0) end--;
  return out.subarray(0, end);
}

export function unmangle(data) {
  if (data.length === 18) {
    const groups = Array.from({ length: 8 }, (_, i) => data.readUInt16BE(i * 2).toString(16));
    return { host: groups.join(':'), port: data.readUInt16LE(16) };
  }
  if (data.length > 16) return { host: '::', port: 0 };
  let v = 0n;
  for (let i = data.length - 1; i >= 0; i--) v = (v << 8n) | BigInt(data[i]);
  const tm = (v >> 17n) & 0xffffffffn;
  const ip = Number(BigInt.asUintN(32, (v >> 49n) - tm));
  const port = Number(BigInt.asUintN(16, (v & 0xffffffn) - (tm & 0xffffn)));
  return { host: [ip & 255, (ip >>> 8) & 255, (ip >>> 16) & 255, ip >>> 24].join('.'), port };
}
