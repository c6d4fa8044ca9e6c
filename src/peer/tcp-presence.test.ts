import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../../test/lib/until.ts';
import { VirtualClock } from '../core/clock.ts';
import { decodeRendezvous, encodeFrame, encodeRendezvous, hbb } from '../core/wire/index.ts';
import { TcpPresence } from './tcp-presence.ts';
import { type Arrived, FrameServer } from './test-frame-server.ts';

const { Result } = hbb.RegisterPkResponse;

let server: FrameServer;
let clock: VirtualClock;
let presence: TcpPresence;
/** What the presence reported, in order. */
let told: string[];

beforeEach(async () => {
  server = await FrameServer.start();
  clock = new VirtualClock();
  told = [];
});
afterEach(async () => {
  presence.stop();
  expect(clock.pending).toBe(0);
  await server.close();
});

function open(port = server.port): void {
  presence = new TcpPresence({
    clock,
    address: { host: '127.0.0.1', port },
    serverName: 'server.example',
    route: undefined,
    identity: () => ({ id: '123456789', uuid: Buffer.from('uuid'), publicKey: Buffer.alloc(32) }),
    takeNewId: () => told.push('new id'),
    onReady: () => told.push('ready'),
    onMessage: ({ union }) => told.push(`message ${union}`),
    onUnreachable: ({ code }) => told.push(`unreachable ${code}`),
    onRefused: ({ code }) => told.push(`refused ${code}`),
    onLost: () => told.push('lost'),
    onOver: () => told.push('over'),
  });
  presence.start();
}

/** The server's end, once it has the registration. */
async function registered(): Promise<Arrived> {
  await until(() => (server.arrived[0]?.frames.length ?? 0) > 0);
  const end = server.arrived[0] as Arrived;
  expect(decodeRendezvous(end.frames[0] as Uint8Array).union).toBe('registerPk');
  return end;
}

function answer({ socket }: Arrived, message: hbb.IRendezvousMessage): void {
  socket.write(encodeFrame(encodeRendezvous(message)));
}

it('is the registration while its connection stands: heartbeats are answered, what is pushed is handed on', async () => {
  open();
  const end = await registered();
  answer(end, { registerPkResponse: { result: Result.OK, keepAlive: 20 } });
  await until(() => presence.ready);
  answer(end, { punchHole: { relayServer: 'relay.example' } });
  end.socket.write(encodeFrame(new Uint8Array(0)));
  await until(() => end.frames.length === 2);
  expect(end.frames[1]).toHaveLength(0);
  expect(told).toEqual(['ready', 'message punchHole']);
  clock.advance(29_999);
  expect(presence.ready).toBe(true);
  // One and a half times the keep-alive without a word.
  clock.advance(1);
  await until(() => !presence.ready);
  expect(told.slice(2)).toEqual(['lost']);
  clock.advance(2_999);
  expect(told).toHaveLength(3);
  clock.advance(1);
  expect(told.slice(2)).toEqual(['lost', 'over']);
});

it.each([
  ['a server that does not register over TCP', Result.NOT_SUPPORT, []],
  ['a refusal', Result.SERVER_ERROR, ['refused REGISTER_SERVER_ERROR']],
])('%s: another try only after a minute', async (_, result, expected) => {
  open();
  const end = await registered();
  answer(end, { registerPkResponse: { result } });
  await until(() => end.socket.destroyed);
  expect(told).toEqual(expected);
  clock.advance(59_999);
  expect(told).toEqual(expected);
  clock.advance(1);
  expect(told).toEqual([...expected, 'over']);
});

it('a server that is not there: told, and over after three seconds', async () => {
  const { port } = server;
  await server.close();
  open(port);
  await until(() => told.length > 0);
  expect(told).toEqual(['unreachable SERVER_REFUSED']);
  clock.advance(3_000);
  expect(told).toEqual(['unreachable SERVER_REFUSED', 'over']);
  server = await FrameServer.start();
});

it('says nothing more once it was stopped', async () => {
  open();
  const end = await registered();
  answer(end, { registerPkResponse: { result: Result.OK } });
  await until(() => presence.ready);
  presence.stop();
  await until(() => end.socket.destroyed);
  clock.advance(120_000);
  expect(told).toEqual(['ready']);
});
