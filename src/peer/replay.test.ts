/**
 * The recorded punches of two stock peers (test/vectors/session/punch-*), played to our own ends over real sockets: what the
 * server pushed to the controlled side goes to our acceptor, what it answered to the controller goes to our connector, and
 * what ours say is compared with what the stock end said, message by message.
 */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../test/lib/ports.ts';
import { initCrypto, openIdPk, signIdPk, signKeyPair } from '../core/crypto/index.ts';
import {
  decodeMessage,
  decodeRendezvous,
  encodeFrame,
  encodeRendezvous,
  FrameDecoder,
  hbb,
  mangleAddress,
} from '../core/wire/index.ts';
import { Acceptor } from './acceptor.ts';
import { AdmissionGate } from './admission.ts';
import { connectPeer } from './connector.ts';

const DIR = join(import.meta.dirname, '../../test/vectors/session');
const ID = '222000111';
const HOST = '127.0.0.1';

interface Step {
  view: 'controller' | 'controlled';
  from: 'controller' | 'controlled' | 'server';
  transport: 'tcp' | 'udp' | 'kcp' | 'relay';
  src: string;
  hex?: string;
  decoded?: Record<string, Record<string, unknown>>;
}
interface Recording {
  name: string;
  server_sign_seed: string;
  host_sign_seed: string;
  steps: Step[];
}

/** Between one of its own dials and the next our end is not there for a moment; a SYN that is lost is sent again, too. */
async function dialled(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect(port, HOST);
    const came = await new Promise<boolean>((resolve) => socket.once('connect', () => resolve(true)).once('error', () => resolve(false)));
    if (came) return socket;
  }
}

function load(name: string): Recording {
  return JSON.parse(readFileSync(join(DIR, `${name}.json`), 'utf8')) as Recording;
}

/** What ours do otherwise on purpose, by message (docs/protocol.md says why). */
const DIFFERENT: Record<string, Record<string, string>> = {
  punchHoleSent: {
    relayServer: 'the relay that the server named, not an option of our own',
    version: 'our own',
    natType: 'our own',
  },
  localAddr: { relayServer: 'as above', version: 'our own' },
  relayResponse: { relayServer: 'as above', version: 'our own', uuid: 'random' },
  requestRelay: { uuid: 'random', relayServer: 'a lab address' },
  punchHoleRequest: { version: 'our own' },
};
/** Fields whose values are addresses of the place where the recording was made. */
const PLACE = new Set(['socketAddr', 'localAddr', 'udpPort', 'serial', 'port']);

interface Said {
  readonly over: 'tcp' | 'udp' | 'relay';
  readonly kind: string;
  readonly fields: Record<string, unknown>;
}

function fieldsOf(message: hbb.RendezvousMessage): Said['fields'] {
  const kind = message.union ?? '';
  // Only what was on the wire is a property of its own.
  const fields: Record<string, unknown> = { ...(message as unknown as Record<string, object | undefined>)[kind] };
  for (const [name, value] of Object.entries(fields)) {
    if (PLACE.has(name)) fields[name] = 'PLACE';
    else if (DIFFERENT[kind]?.[name]) fields[name] = 'DIFFERENT';
    // Named by ours wherever this machine has an IPv6 address of the Internet; the lab of the recordings had none.
    // Not on the stock wire: our request for a relay ticket, which a stock server skips (docs/protocol.md).
    else if (name === 'socketAddrV6' || name === 'wantTicket') delete fields[name];
    else if (value === '' || value === 0 || value === false) delete fields[name];
    else if (value instanceof Uint8Array) fields[name] = Buffer.from(value).toString('hex');
  }
  return fields;
}

function said(over: Said['over'], payload: Uint8Array): Said {
  const message = decodeRendezvous(payload);
  return { over, kind: message.union ?? '', fields: fieldsOf(message) };
}

/** The rendezvous messages of one end of a recording, in order. */
function recorded(recording: Recording, end: 'controller' | 'controlled'): Said[] {
  return recording.steps
    .filter((step) => step.view === end && step.from === end && step.transport !== 'kcp' && step.hex && step.decoded)
    .filter((step) => !('punch' in (step.decoded ?? {})))
    .map((step) => {
      const bytes = new Uint8Array(Buffer.from(step.hex ?? '', 'hex'));
      const payload = step.transport === 'udp' ? bytes : new FrameDecoder().pushOne(bytes);
      return said(step.transport as Said['over'], payload ?? bytes);
    });
}

/** What the server sent to one end. */
function fromServer(recording: Recording, end: 'controller' | 'controlled', kind: string): hbb.RendezvousMessage[] {
  return recording.steps
    .filter((step) => step.view === end && step.from === 'server' && step.hex && step.decoded && kind in step.decoded)
    .map((step) => {
      const bytes = new Uint8Array(Buffer.from(step.hex ?? '', 'hex'));
      return decodeRendezvous((step.transport === 'udp' ? bytes : new FrameDecoder().pushOne(bytes)) ?? bytes);
    });
}

const cleanup: (() => void)[] = [];
afterEach(() => {
  for (const step of cleanup.splice(0).reverse()) step();
});
beforeAll(() => initCrypto());

/** A server and a relay on the loopback that write down what they are told, in order. */
class Stage {
  readonly heard: Said[] = [];
  readonly connections: { remotePort: number; socket: Socket }[] = [];
  readonly signedIds: Uint8Array[] = [];
  onMessage: (message: hbb.RendezvousMessage, reply: (answer: hbb.IRendezvousMessage) => void, from: RemoteInfo | Socket) => void =
    () => {};
  #waiters: { count: number; resolve: () => void }[] = [];
  #rendezvous!: Server;
  #relay!: Server;
  #udp!: UdpSocket;

  static async open(): Promise<Stage> {
    const stage = new Stage();
    stage.#rendezvous = createServer((socket) => stage.#onConnection(socket, 'tcp'));
    stage.#relay = createServer((socket) => stage.#onConnection(socket, 'relay'));
    for (const server of [stage.#rendezvous, stage.#relay]) {
      server.listen(0, HOST);
      await once(server, 'listening');
    }
    stage.#udp = createSocket('udp4').bind(stage.port, HOST);
    stage.#udp.on('message', (data, from) => {
      stage.#hear('udp', data, (answer) => stage.#udp.send(encodeRendezvous(answer), from.port, from.address), from);
    });
    await once(stage.#udp, 'listening');
    cleanup.push(() => {
      stage.#udp.close();
      stage.#rendezvous.close();
      stage.#relay.close();
      for (const { socket } of stage.connections) socket.destroy();
    });
    return stage;
  }

  get port(): number {
    return (this.#rendezvous.address() as AddressInfo).port;
  }
  get relayServer(): string {
    return `${HOST}:${(this.#relay.address() as AddressInfo).port}`;
  }

  until(count: number): Promise<void> {
    if (this.heard.length >= count) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push({ count, resolve }));
  }

  #onConnection(socket: Socket, over: 'tcp' | 'relay'): void {
    this.connections.push({ remotePort: socket.remotePort ?? 0, socket });
    const decoder = new FrameDecoder();
    let first = true;
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const payload of decoder.push(chunk)) {
        if (over === 'relay' && !first) this.signedIds.push(payload);
        else this.#hear(over, payload, (answer) => socket.write(encodeFrame(encodeRendezvous(answer))), socket);
        first = false;
      }
    });
  }

  #hear(over: Said['over'], payload: Uint8Array, reply: (answer: hbb.IRendezvousMessage) => void, from: RemoteInfo | Socket): void {
    this.heard.push(said(over, payload));
    this.onMessage(decodeRendezvous(payload), reply, from);
    this.#waiters = this.#waiters.filter((waiter) => {
      if (this.heard.length < waiter.count) return true;
      waiter.resolve();
      return false;
    });
  }
}

const keys = (recording: Recording) => ({
  server: signKeyPair(new Uint8Array(Buffer.from(recording.server_sign_seed, 'hex'))),
  host: signKeyPair(new Uint8Array(Buffer.from(recording.host_sign_seed, 'hex'))),
});

function acceptorFor(recording: Recording, stage: Stage): Acceptor {
  const { server, host } = keys(recording);
  const acceptor = new Acceptor({
    server: { host: HOST, port: stage.port, key: Buffer.from(server.publicKey).toString('base64') },
    identity: () => ({ id: ID, uuid: new Uint8Array(1), publicKey: host.publicKey, secretKey: host.secretKey, salt: 's' }),
    nat: () => 'asymmetric',
    serverAddress: () => ({ host: HOST, port: stage.port }),
    hasUdp: () => false,
    takeSpareRelay: () => null,
    allowPlaintext: false,
    gate: new AdmissionGate(),
    onLink: ({ link }) => link.destroy(),
    onKeyDoubted: () => {},
    findSession: null,
    onFailure: () => {},
  });
  cleanup.push(() => acceptor.stop());
  return acceptor;
}

/** The recorded message as if the controller stood at `port` of this machine. */
function moved(message: hbb.RendezvousMessage, port: number, stage: Stage): hbb.RendezvousMessage {
  const inner = (message.punchHole ?? message.fetchLocalAddr ?? message.requestRelay) as hbb.PunchHole;
  inner.socketAddr = mangleAddress({ host: HOST, port });
  inner.relayServer = stage.relayServer;
  return message;
}

function expectSignedId(payload: Uint8Array, recording: Recording): void {
  const signed = decodeMessage(payload).signedId?.id;
  expect(openIdPk(signed ?? new Uint8Array(0), keys(recording).host.publicKey)).toMatchObject({ id: ID });
}

async function firstFrame(socket: Socket): Promise<Uint8Array> {
  const decoder = new FrameDecoder();
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    const frame = decoder.pushOne(chunk);
    if (frame) return frame;
  }
}

describe('our acceptor, told what the stock controlled side was told', () => {
  it.each(['punch-tcp-fullcone', 'punch-local-address'])('%s: says the same, then speaks first on the link', async (name) => {
    const recording = load(name);
    const stage = await Stage.open();
    const kind = name === 'punch-local-address' ? 'fetch_local_addr' : 'punch_hole';
    const [push] = fromServer(recording, 'controlled', kind);
    if (!push) throw new Error('nothing recorded');
    acceptorFor(recording, stage).handle(moved(push, await freePorts(), stage));
    const expected = recorded(recording, 'controlled');
    await stage.until(expected.length);
    expect(stage.heard).toEqual(expected);
    const hole = stage.connections[0]?.remotePort ?? 0;
    const controller = await dialled(hole);
    cleanup.push(() => controller.destroy());
    expectSignedId(await firstFrame(controller), recording);
  });

  it.each(['punch-relay-by-controlled', 'punch-tcp-port-restricted-falls-to-relay'])('%s: meets at the relay', async (name) => {
    const recording = load(name);
    const stage = await Stage.open();
    const acceptor = acceptorFor(recording, stage);
    const expected = recorded(recording, 'controlled');
    for (const push of [...fromServer(recording, 'controlled', 'punch_hole'), ...fromServer(recording, 'controlled', 'request_relay')]) {
      const before = stage.heard.length;
      acceptor.handle(moved(push, await freePorts(), stage));
      await stage.until(push.requestRelay || expected.length === 2 ? expected.length : before + 1);
    }
    // The proposal to the server and the arrival at the relay are two connections: their order is the network's.
    const order = (list: Said[]): Said[] => list.toSorted((a, b) => a.kind.localeCompare(b.kind));
    expect(order(stage.heard)).toEqual(order(expected));
  });

  it('punch-udp-kcp-port-restricted: opens its hole before it lets itself be named, then takes the SYN', async () => {
    const recording = load('punch-udp-kcp-port-restricted');
    const stage = await Stage.open();
    const push = fromServer(recording, 'controlled', 'punch_hole').find((message) => (message.punchHole?.udpPort ?? 0) > 0);
    if (!push?.punchHole) throw new Error('nothing recorded');
    const controller = createSocket('udp4').bind(0, HOST);
    await once(controller, 'listening');
    cleanup.push(() => controller.close());
    const arrived: { length: number; named: boolean; port: number; flags: number }[] = [];
    const answered = new Promise<void>((resolve) => {
      controller.on('message', (data, from) => {
        arrived.push({ length: data.length, named: stage.heard.length > 0, port: from.port, flags: data[12] ?? 0 });
        // The recorded controller's empty datagram and SYN, once each, when it has heard of us.
        if (arrived.length === 1)
          void stage.until(1).then(() => {
            controller.send(new Uint8Array(0), from.port, HOST);
            controller.send(Buffer.from('6d48d73800000000000000000100', 'hex'), from.port, HOST);
          });
        if (data.length === 14 && data[12] === 3) resolve();
      });
    });
    push.punchHole.udpPort = controller.address().port;
    acceptorFor(recording, stage).handle(moved(push, await freePorts(), stage));
    await answered;
    // Deliberately the other way round than the stock 0.1 ms (rendezvous §9.3: a later hole loses the controller's only SYN).
    expect(arrived[0]).toMatchObject({ length: 0 });
    expect(arrived.find((datagram) => datagram.length > 0)?.flags).toBe(3);
    await stage.until(1);
    const [announced] = recorded(recording, 'controlled').filter((entry) => entry.over === 'udp');
    expect(stage.heard[0]).toEqual(announced);
  });
});

describe('our connector, answered as the stock controller was', () => {
  it.each(['punch-tcp-fullcone', 'punch-local-address', 'punch-relay-by-controlled', 'punch-udp-kcp-port-restricted'])(
    '%s: asks the same and follows the answer',
    async (name) => {
      const recording = load(name);
      const { server, host } = keys(recording);
      const stage = await Stage.open();
      // The peer's end: TCP and UDP on one port; that somebody comes is all that counts.
      const peer = createServer((socket) => {
        came.tcp = true;
        socket.on('error', () => {});
        check();
      }).listen(0, HOST);
      await once(peer, 'listening');
      const { port } = peer.address() as AddressInfo;
      const udp = createSocket('udp4').bind(port, HOST);
      await once(udp, 'listening');
      cleanup.push(() => {
        peer.close();
        udp.close();
      });
      const came = { tcp: false, syn: false, relay: false };
      let check = (): void => {};
      udp.on('message', (data) => {
        if (data.length === 14 && data[12] === 1) came.syn = true;
        check();
      });
      const answers = [
        ...fromServer(recording, 'controller', 'punch_hole_response'),
        ...fromServer(recording, 'controller', 'relay_response'),
      ];
      const expected = recorded(recording, 'controller');
      const wantsUdp = expected.some((entry) => entry.over === 'udp');
      stage.onMessage = (message, reply) => {
        if (message.testNatRequest) reply({ testNatResponse: { port: 40_000 } });
        if (message.requestRelay) came.relay = true;
        const request = message.punchHoleRequest;
        const [answer] = answers;
        // Where only one of the two attempts was recorded with an answer, the other stays without.
        if (request && answer && (wantsUdp ? request.udpPort > 0 : request.udpPort === 0)) {
          const inner = (answer.punchHoleResponse ?? answer.relayResponse) as hbb.PunchHoleResponse;
          const pk = signIdPk(ID, host.publicKey, server.secretKey);
          if (answer.punchHoleResponse) inner.socketAddr = mangleAddress({ host: HOST, port });
          else inner.relayServer = stage.relayServer;
          inner.pk = pk;
          reply(answer);
        }
        check();
      };
      const abort = new AbortController();
      const kinds = (list: readonly Said[]): string[] => [...new Set(list.map((entry) => `${entry.over} ${entry.kind}`))];
      const followed = new Promise<void>((resolve) => {
        check = () => {
          const path = name.includes('relay') ? came.relay : wantsUdp ? came.syn : came.tcp;
          if (path && kinds(expected).every((kind) => kinds(stage.heard).includes(kind))) resolve();
        };
      });
      const connecting = connectPeer({
        server: { host: HOST, port: stage.port, key: Buffer.from(server.publicKey).toString('base64') },
        peerId: ID,
        nat: name === 'punch-relay-by-controlled' ? 'symmetric' : 'asymmetric',
        path: 'auto',
        connType: hbb.ConnType.PORT_FORWARD,
        allowPlaintext: false,
        nativeOnly: false,
        pinned: null,
        identity: null,
        signal: abort.signal,
      }).catch(() => {});
      await followed;
      abort.abort();
      await connecting;
      for (const entry of expected.filter((each) => each.kind !== 'testNatRequest'))
        expect(stage.heard, entry.kind).toContainEqual(entry);
      // The request without a UDP port leaves first (rendezvous §9.1).
      const first = (list: readonly Said[]): Said | undefined => list.find((entry) => entry.kind === 'punchHoleRequest');
      expect(first(stage.heard)).toEqual(first(expected));
    },
  );
});
