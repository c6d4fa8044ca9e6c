import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { encodeRendezvous } from '../core/wire/proto.ts';
import {
  discoverLan,
  isValidPeerId,
  LanDiscoveryResponder,
  lanAnswer,
  lanPeer,
  MAX_LAN_PEERS,
} from './lan-discovery.ts';

const recorded = JSON.parse(
  readFileSync(new URL('../../test/vectors/session/lan-discovery.json', import.meta.url), 'utf8'),
) as { steps: { hex: string }[] };
const [question, answer] = recorded.steps.map((step) => Uint8Array.from(Buffer.from(step.hex, 'hex'))) as [
  Uint8Array,
  Uint8Array,
];
const SELF = { id: '222000111', username: 'root', hostname: 'lab-b', platform: 'Linux' };
const MAC = '26:6b:31:13:7e:22';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function responder(
  options: { id?: string; enabled?: () => boolean; mac?: string } = {},
): Promise<number> {
  const lan = new LanDiscoveryResponder({
    ...SELF,
    id: () => options.id ?? SELF.id,
    host: '127.0.0.1',
    port: 0,
    macFor: () => options.mac ?? MAC,
    ...(options.enabled && { enabled: options.enabled }),
  });
  await lan.start();
  closers.push(() => lan.close());
  return lan.port;
}

/** A socket that answers every question with `answers`. */
async function fakePeer(answers: Uint8Array[]): Promise<number> {
  const socket: Socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.on('message', (_datagram, from) => {
    for (const bytes of answers) socket.send(bytes, from.port, from.address);
  });
  closers.push(() => socket.close());
  return socket.address().port;
}

function pong(fields: Record<string, string>): Uint8Array {
  return encodeRendezvous({ peerDiscovery: { cmd: 'pong', mac: MAC, ...fields } });
}

const here = { sources: ['127.0.0.1'], targets: ['127.0.0.1'], macFor: () => '' };

describe('answers', () => {
  test('the recorded question gets the recorded answer', () => {
    expect(lanAnswer(question, SELF, () => MAC)).toEqual(answer);
  });

  test('the recorded answer is read back', () => {
    expect(lanPeer(answer, '::ffff:10.2.0.2', () => 'aa:aa:aa:aa:aa:aa')).toEqual({
      ...SELF,
      mac: MAC,
      address: '10.2.0.2',
    });
  });

  test('nothing is said to ourselves, to pongs and to garbage', () => {
    const own = encodeRendezvous({ peerDiscovery: { cmd: 'ping', id: SELF.id } });
    for (const datagram of [own, answer, new Uint8Array(0), Uint8Array.of(255, 255), new Uint8Array(9000)])
      expect(lanAnswer(datagram, SELF, () => MAC)).toBeNull();
    expect(lanAnswer(question, { ...SELF, id: '' }, () => MAC)).toBeNull();
  });

  test('a host called localhost is unknown', () => {
    const bytes = lanAnswer(question, { ...SELF, hostname: 'localhost' }, () => MAC);
    expect(lanPeer(bytes as Uint8Array, '10.0.0.1', () => '')?.hostname).toBe('unknown');
  });

  test('our own interface is dropped, two unknown ones are kept', () => {
    expect(lanPeer(pong({ id: '1', mac: MAC.toUpperCase() }), '10.0.0.1', () => MAC)).toBeNull();
    expect(lanPeer(pong({ id: '1', mac: '' }), '10.0.0.1', () => '')).not.toBeNull();
  });

  test('ids are checked', () => {
    for (const id of ['123456789', 'büro-1', 'x'.repeat(253)]) expect(isValidPeerId(id)).toBe(true);
    const bad = [
      '',
      'x'.repeat(254),
      'a b',
      'a/b',
      'a\\b',
      'a"b',
      '<a',
      'a>',
      'a|b',
      'a?',
      'a*',
      'a\n',
      '\u0085',
    ];
    for (const id of bad) expect(isValidPeerId(id)).toBe(false);
  });
});

describe('search', () => {
  test('finds who answers', async () => {
    const port = await responder();
    const stop = new AbortController();
    const clock = new VirtualClock();
    const found = discoverLan({
      ...here,
      port,
      clock,
      signal: stop.signal,
      onPeer: () => queueMicrotask(() => clock.advance(3000)),
    });
    expect(await found).toEqual([{ ...SELF, mac: MAC, address: '127.0.0.1' }]);
    expect(clock.pending).toBe(0);
  });

  test('hears nothing from a peer that may not answer', async () => {
    let asked = (): void => {};
    const question = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const port = await responder({
      enabled: () => {
        asked();
        return false;
      },
    });
    const clock = new VirtualClock();
    const found = discoverLan({ ...here, port, clock });
    await question;
    clock.advance(3000);
    expect(await found).toEqual([]);
  });

  test('drops bad answers and repeated ones', async () => {
    const port = await fakePeer([
      Uint8Array.of(1, 2, 3),
      pong({ id: 'a b' }),
      pong({ id: '7', hostname: 'h'.repeat(1000), mac: 'not a mac' }),
      pong({ id: '7', hostname: 'other' }),
      pong({ id: '8' }),
    ]);
    const clock = new VirtualClock();
    const found = discoverLan({
      ...here,
      port,
      clock,
      onPeer: (peer) => peer.id === '8' && queueMicrotask(() => clock.advance(3000)),
    });
    const peers = await found;
    expect(peers.map((peer) => [peer.id, peer.hostname.length, peer.mac])).toEqual([
      ['7', 255, ''],
      ['8', 0, MAC],
    ]);
  });

  test('a flood ends the search', async () => {
    const sender = createSocket('udp4');
    closers.push(() => sender.close());
    sender.bind(0, '127.0.0.1');
    await once(sender, 'listening');
    let to: { port: number; address: string } | undefined;
    let id = 0;
    // One answer for each one taken, so that no buffer overflows.
    const more = (): void => {
      if (to) sender.send(pong({ id: `p${id++}` }), to.port, to.address);
    };
    sender.on('message', (_datagram, from) => {
      to = from;
      more();
    });
    const found = await discoverLan({
      ...here,
      port: sender.address().port,
      clock: new VirtualClock(),
      onPeer: more,
    });
    expect(found.length).toBe(MAX_LAN_PEERS);
  });

  test('can be cancelled', async () => {
    const stop = new AbortController();
    const found = discoverLan({ ...here, port: 9, signal: stop.signal, clock: new VirtualClock() });
    stop.abort();
    await expect(found).rejects.toMatchObject({ code: 'ABORTED' });
  });

  test('two responders share the port', async () => {
    const port = await responder();
    const second = new LanDiscoveryResponder({ ...SELF, id: () => '2', host: '127.0.0.1', port });
    await second.start();
    await second.close();
    await second.close();
  });
});
