/** The lobby over real sockets, as its clients speak it. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../../test/lib/until.ts';
import { VirtualClock } from '../../core/clock.ts';
import { Counters } from '../counters.ts';
import { DEFAULT_LIMITS, type ServerLimits } from '../limits.ts';
import { encodeLobby, LobbyDecoder } from './frame.ts';
import { Lobby } from './lobby.ts';
import { rawMember } from './raw-member.ts';

type Message = Record<string, unknown>;

class LobbyClient {
  readonly socket: Socket;
  readonly #messages: string[] = [];
  #wake: (() => void) | undefined;
  closed = false;

  constructor(port: number, localAddress = '127.0.0.1') {
    this.socket = connect({ host: '127.0.0.1', port, localAddress });
    const decoder = new LobbyDecoder(8 * 1024 * 1024);
    this.socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      for (let text = decoder.next(); text !== null; text = decoder.next()) this.#messages.push(text);
      this.#wake?.();
    });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.closed = true;
      this.#wake?.();
    });
  }

  send(message: Message): void {
    this.socket.write(encodeLobby(message));
  }

  /** The next message as text, or null once closed. */
  async nextText(): Promise<string | null> {
    for (;;) {
      const text = this.#messages.shift();
      if (text !== undefined) return text;
      if (this.closed) return null;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async next(): Promise<Message | null> {
    const text = await this.nextText();
    return text === null ? null : (JSON.parse(text) as Message);
  }

  async ask(message: Message): Promise<Message | null> {
    this.send(message);
    return this.next();
  }

  get port(): number {
    return this.socket.localPort ?? 0;
  }
}

let clock: VirtualClock;
let counters: Counters;
let lobby: Lobby;
let server: Server;
let clients: LobbyClient[];

async function start(limits: Partial<ServerLimits> = {}): Promise<void> {
  clock = new VirtualClock();
  counters = new Counters();
  lobby = new Lobby({ limits: { ...DEFAULT_LIMITS, ...limits }, clock, counters });
  server = createServer((socket) =>
    lobby.onTcp(socket, { host: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 }),
  );
  clients = [];
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
}

function client(localAddress?: string): LobbyClient {
  const made = new LobbyClient((server.address() as { port: number }).port, localAddress);
  clients.push(made);
  return made;
}

async function registered(id: string, type: 'server' | 'client', localAddress?: string): Promise<LobbyClient> {
  const made = client(localAddress);
  expect(await made.ask({ type: 'register', peer_id: id, peer_type: type })).toMatchObject({ type: 'registered' });
  return made;
}

beforeEach(() => start());
afterEach(async () => {
  for (const made of clients) made.socket.destroy();
  lobby.close();
  await new Promise((resolve) => server.close(resolve));
  // What is closed is told in the next turns of the event loop.
  await until(() => lobby.size === 0 && lobby.heldBytes === 0);
  expect(clock.pending).toBe(0);
});

describe('the lobby', () => {
  test('registers with the address of the connection', async () => {
    const desk = client('127.0.0.5');
    expect(await desk.ask({ type: 'register', peer_id: 'desk', peer_type: 'server' })).toEqual({
      type: 'registered',
      peer_id: 'desk',
      public_ip: '127.0.0.5',
      public_port: desk.port,
    });
  });

  test('lists only those of the other kind, and never oneself', async () => {
    await registered('desk one', 'server');
    const two = await registered('desk two', 'server');
    const viewer = await registered('viewer', 'client');
    expect(await viewer.ask({ type: 'list_peers' })).toEqual({
      type: 'peer_list',
      peers: [
        { peer_id: 'desk one', peer_type: 'server' },
        { peer_id: 'desk two', peer_type: 'server' },
      ],
    });
    expect(await two.ask({ type: 'list_peers' })).toEqual({
      type: 'peer_list',
      peers: [{ peer_id: 'viewer', peer_type: 'client' }],
    });
  });

  test('introduces: the asker gets the address, the target is told who asks', async () => {
    const desk = await registered('desk', 'server', '127.0.0.6');
    const viewer = await registered('viewer', 'client', '127.0.0.7');
    expect(await viewer.ask({ type: 'get_peer_info', target_id: 'desk' })).toEqual({
      type: 'peer_info',
      peer_id: 'desk',
      peer_type: 'server',
      public_ip: '127.0.0.6',
      public_port: desk.port,
    });
    expect(await desk.next()).toEqual({
      type: 'connection_request',
      from_peer_id: 'viewer',
      from_peer_type: 'client',
      from_public_ip: '127.0.0.7',
      from_public_port: viewer.port,
    });
    expect(await viewer.ask({ type: 'get_peer_info', target_id: 'nobody' })).toEqual({
      type: 'error',
      message: 'Peer nobody not found',
    });
  });

  test('relays any JSON value exactly as it was written, and says nothing to the sender', async () => {
    const desk = await registered('desk', 'server');
    const viewer = await registered('viewer', 'client');
    const values = ['1.0', '12345678901234567890', '{"a": [1, "}]", {"b":"\\u00e4\\\\"}] }', '"text"', 'null', '[]', 'true', '-0.5e-7'];
    for (const value of values) {
      const body = Buffer.from(`{"data" : ${value} ,"type":"relay_data", "target_id":"desk"}`);
      const header = Buffer.alloc(4);
      header.writeUInt32BE(body.length);
      viewer.socket.write(Buffer.concat([header, body]));
      expect(await desk.nextText()).toBe(`{"type":"relayed_data","from_peer_id":"viewer","data":${value}}`);
    }
    viewer.send({ type: 'relay_data', target_id: 'desk' });
    expect(await desk.next()).toEqual({ type: 'relayed_data', from_peer_id: 'viewer', data: null });
    expect(await viewer.ask({ type: 'relay_data', target_id: 'nobody', data: 1 })).toMatchObject({ message: 'Peer nobody not found' });
    // The first thing that comes back is the answer to this: the relayed ones were silent.
    expect(await viewer.ask({ type: 'heartbeat' })).toEqual({ type: 'heartbeat_ack' });
  });

  test('answers in order, however the bytes are cut', async () => {
    const viewer = await registered('viewer', 'client');
    const bytes = Buffer.concat([
      encodeLobby({ type: 'heartbeat' }),
      encodeLobby({ type: 'list_peers' }),
      encodeLobby({ type: 'of the future', with: { more: 1 } }),
      encodeLobby({ no: 'type' }),
      encodeLobby({ type: 'get_peer_info', target_id: 'x' }),
    ]);
    for (const byte of bytes) viewer.socket.write(Buffer.of(byte));
    viewer.socket.write(bytes);
    for (let i = 0; i < 2; i++)
      for (const type of ['heartbeat_ack', 'peer_list', 'error']) expect(await viewer.next()).toMatchObject({ type });
  });

  test('a second registration takes the place of the first, whose end takes nothing away', async () => {
    const first = await registered('desk', 'server');
    const second = await registered('desk', 'server');
    expect(await first.nextText()).toBeNull();
    const viewer = await registered('viewer', 'client');
    expect(await viewer.ask({ type: 'list_peers' })).toMatchObject({ peers: [{ peer_id: 'desk' }] });
    second.socket.destroy();
    await until(() => lobby.size <= 1);
    expect(await viewer.ask({ type: 'list_peers' })).toMatchObject({ peers: [] });
    expect(counters.of('lobby-replaced')).toBe(1);
  });

  test('one connection has one name: registering anew leaves the old one', async () => {
    const desk = await registered('desk', 'server');
    expect(await desk.ask({ type: 'register', peer_id: 'other', peer_type: 'server' })).toMatchObject({ peer_id: 'other' });
    expect(await desk.ask({ type: 'register', peer_id: 'other', peer_type: 'server' })).toMatchObject({ peer_id: 'other' });
    const viewer = await registered('viewer', 'client');
    expect(await viewer.ask({ type: 'list_peers' })).toMatchObject({ peers: [{ peer_id: 'other' }] });
  });

  test('pings each minute; who says nothing for longer is dropped', async () => {
    const desk = await registered('desk', 'server');
    clock.advance(60_000);
    expect(await desk.next()).toEqual({ type: 'ping' });
    expect(await desk.ask({ type: 'heartbeat' })).toEqual({ type: 'heartbeat_ack' });
    clock.advance(DEFAULT_LIMITS.lobbySilenceMs - 1);
    expect(await desk.next()).toEqual({ type: 'ping' });
    clock.advance(1);
    while ((await desk.nextText()) !== null);
    expect(counters.of('lobby-slow')).toBe(1);
  });

  test.each<[string, Buffer, string]>([
    ['asks before it registered', encodeLobby({ type: 'list_peers' }), 'lobby-not-registered'],
    ['registers without a name', encodeLobby({ type: 'register', peer_type: 'server' }), 'lobby-bad-input'],
    ['registers with an empty name', encodeLobby({ type: 'register', peer_id: '', peer_type: 'server' }), 'lobby-bad-input'],
    ['registers with a long name', encodeLobby({ type: 'register', peer_id: 'x'.repeat(257), peer_type: 'server' }), 'lobby-bad-input'],
    ['registers as something else', encodeLobby({ type: 'register', peer_id: 'x', peer_type: 'admin' }), 'lobby-bad-input'],
    ['sends no JSON', Buffer.from('\0\0\0\x02{]'), 'lobby-bad-input'],
    ['sends no object', Buffer.from('\0\0\0\x02[]'), 'lobby-bad-input'],
    ['sends no UTF-8', Buffer.from([0, 0, 0, 2, 0xff, 0xfe]), 'lobby-bad-input'],
    ['sends an empty message', Buffer.from([0, 0, 0, 0]), 'lobby-bad-input'],
    ['announces too much', Buffer.from([0, 0x10, 0, 1]), 'lobby-bad-input'],
    ['speaks HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'lobby-bad-input'],
    ['has a type that is no text', encodeLobby({ type: 7 }), 'lobby-bad-input'],
  ])('closes without a word who %s', async (_what, bytes, reason) => {
    const other = await registered('bystander', 'server');
    const bad = client();
    bad.socket.write(bytes);
    expect(await bad.nextText()).toBeNull();
    expect(counters.of(reason as 'lobby-bad-input')).toBe(1);
    expect(await other.ask({ type: 'heartbeat' })).toEqual({ type: 'heartbeat_ack' });
  });

  test('who never registers has an end', async () => {
    const silent = client();
    await new Promise((resolve) => silent.socket.once('connect', resolve));
    await registered('desk', 'server');
    clock.advance(DEFAULT_LIMITS.lobbyRegisterMs);
    expect(await silent.nextText()).toBeNull();
  });
});

describe('bounds', () => {
  test('of one address and in all', async () => {
    lobby.close();
    server.close();
    await start({ maxLobbyPeers: 3, maxLobbyPeersPerAddress: 2 });
    await registered('a', 'server', '127.0.0.2');
    await registered('b', 'server', '127.0.0.2');
    const third = client('127.0.0.2');
    expect(await third.nextText()).toBeNull();
    await registered('c', 'server', '127.0.0.3');
    expect(await client('127.0.0.4').nextText()).toBeNull();
    expect(counters.of('lobby-full')).toBe(2);
  });

  test('who sends to one that does not read is not read himself, and the one that never reads is dropped', async () => {
    const desk = await registered('desk', 'server');
    desk.socket.pause();
    const viewer = await registered('viewer', 'client');
    const frame = encodeLobby({ type: 'relay_data', target_id: 'desk', data: 'x'.repeat(1_000_000) });
    let more = true;
    while (more) more = viewer.socket.write(frame);
    for (let i = 0; i < 40; i++) viewer.socket.write(frame);
    // Held are what waits for the desk and what the viewer's next message has sent so far; the rest is in his own hands.
    let before = -1;
    while (before !== lobby.heldBytes || before < DEFAULT_LIMITS.maxLobbyUnsentBytes) {
      before = lobby.heldBytes;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(lobby.heldBytes).toBeLessThan(5_000_000);
    clock.advance(DEFAULT_LIMITS.lobbyRegisterMs);
    await until(() => lobby.size <= 1);
    expect(counters.of('lobby-slow')).toBe(1);
    // The sender goes on.
    viewer.send({ type: 'heartbeat' });
    for (let message = await viewer.next(); message?.type !== 'heartbeat_ack'; message = await viewer.next())
      expect(message).toMatchObject({ type: 'error' });
  });

  test('a reader that is only slow gets everything', async () => {
    const desk = await registered('desk', 'server');
    const viewer = await registered('viewer', 'client');
    desk.socket.pause();
    const count = 30;
    for (let i = 0; i < count; i++) viewer.send({ type: 'relay_data', target_id: 'desk', data: [i, 'y'.repeat(500_000)] });
    desk.socket.resume();
    for (let i = 0; i < count; i++) expect(await desk.next()).toMatchObject({ data: [i, expect.any(String)] });
  });

  test('all together hold no more than the budget', async () => {
    lobby.close();
    server.close();
    await start({ maxLobbyHeldBytes: 3_000_000 });
    const header = Buffer.from([0, 0x0f, 0, 0]);
    const hoarders = ['127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5'].map((address) => client(address));
    for (const hoarder of hoarders) hoarder.socket.write(Buffer.concat([header, Buffer.alloc(900_000, 0x20)]));
    await until(() => counters.of('lobby-full') > 0);
    expect(lobby.heldBytes).toBeLessThanOrEqual(3_000_000);
  });

  test('5,000 random messages leave it whole', { timeout: 60_000 }, async () => {
    const other = await registered('bystander', 'server');
    let seed = 42;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 8) % below;
    };
    const words = ['register', 'list_peers', 'get_peer_info', 'relay_data', 'heartbeat', '', '__proto__', 'constructor', 'bystander', 'x'];
    const value = (depth: number): unknown => {
      const kind = random(depth > 3 ? 5 : 8);
      if (kind === 0) return null;
      if (kind === 1) return random(1_000) / 7;
      if (kind <= 4) return words[random(words.length)];
      if (kind === 5) return [value(depth + 1), value(depth + 1)];
      return Object.fromEntries(['type', 'peer_id', 'peer_type', 'target_id', 'data'].slice(random(3)).map((key) => [key, value(depth + 1)]));
    };
    for (let round = 0; round < 250; round++) {
      const fuzz = client('127.0.0.9');
      if (random(2) === 0) fuzz.send({ type: 'register', peer_id: `fuzz${random(5)}`, peer_type: random(2) === 0 ? 'client' : 'server' });
      for (let i = 0; i < 20; i++) {
        const bytes = Buffer.from(encodeLobby(value(0) as Message));
        // Now and then a bit is wrong, or the end is missing.
        if (random(4) === 0) bytes[random(bytes.length)] = random(256);
        fuzz.socket.write(random(10) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes);
      }
      fuzz.socket.end();
      await new Promise<void>((resolve) => (fuzz.closed ? resolve() : fuzz.socket.once('close', () => resolve())));
    }
    await until(() => lobby.size <= 1);
    other.send({ type: 'heartbeat' });
    for (let message = await other.next(); message?.type !== 'heartbeat_ack'; message = await other.next()) expect(message).not.toBeNull();
    expect(lobby.heldBytes).toBe(0);
  });

  test('deep nesting is data like any other', async () => {
    const desk = await registered('desk', 'server');
    const viewer = await registered('viewer', 'client');
    const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    const body = Buffer.from(`{"type":"relay_data","target_id":"desk","data":${deep}}`);
    const header = Buffer.alloc(4);
    header.writeUInt32BE(body.length);
    viewer.socket.write(Buffer.concat([header, body]));
    expect((await desk.nextText())?.length).toBe(deep.length + '{"type":"relayed_data","from_peer_id":"viewer","data":}'.length);
  });
});

test('a member is cut out of its object as it stands', () => {
  expect(rawMember('{"a":1}', 'data')).toBeNull();
  expect(rawMember('{}', 'data')).toBeNull();
  expect(rawMember(' {"data":1,"x":{"data":2},"d\\u0061ta" : [ 3 ] } ', 'data')).toBe('[ 3 ]');
  expect(rawMember('{"x":"\\"data\\":1","data":"a\\"b"}', 'data')).toBe('"a\\"b"');
});
