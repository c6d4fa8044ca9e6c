import { expect, test } from 'vitest';
import { WireError } from '../errors.ts';
import { PAYLOAD_LIMITS } from '../link.ts';
import { encodeMessage, type hbb } from '../wire/proto.ts';
import { FakeDesktop, seededRandom, setUpPair } from './fixtures.ts';
import { zstdOpen, zstdStore } from './zstd.ts';

const big = new Uint8Array(2000).fill(7);
/** One of every kind that a session acts on, as the seed of the mutations. */
const SEEDS: hbb.IMessage[] = [
  { hash: { salt: 's', challenge: 'c' } },
  { testDelay: { time: 3n, fromClient: true } },
  { testDelay: { lastDelay: 5, targetBitrate: 9 } },
  {
    loginRequest: {
      username: '123456789',
      password: big.subarray(0, 32),
      myId: '1',
      portForward: { host: 'x', port: 3 },
    },
  },
  { loginResponse: { error: 'Wrong Password' } },
  {
    loginResponse: {
      peerInfo: { hostname: 'h', platform: 'Linux', version: '1.4.6', displays: [{ width: 10, height: 10 }] },
    },
  },
  { videoFrame: { display: 0, vp9s: { frames: [{ data: big, key: true, pts: 5n }] } } },
  { cursorData: { id: 5n, width: 4, height: 4, colors: zstdStore(new Uint8Array(64)) } },
  { cursorId: 5n },
  { cursorPosition: { x: -4, y: 9 } },
  { mouseEvent: { mask: 9, x: 3, y: 4, modifiers: [4, 29] } },
  { mouseEvent: { mask: 5, x: -3, y: 4 } },
  { keyEvent: { down: true, chr: 38, mode: 1, modifiers: [3] } },
  { keyEvent: { press: true, controlKey: 27 } },
  { keyEvent: { seq: 'text', mode: 2, down: true } },
  { clipboard: { content: zstdStore(big), compress: true } },
  { multiClipboards: { clipboards: [{ content: big }] } },
  { peerInfo: { displays: [{ width: 3, height: 3, scale: 2 }] } },
  {
    misc: {
      option: {
        imageQuality: 3,
        customFps: 30,
        supportedDecoding: { abilityVp8: 1, prefer: 4 },
        disableKeyboard: 1,
      },
    },
  },
  { misc: { switchDisplay: { display: 1, width: 5, height: 5 } } },
  { misc: { captureDisplays: { set: [0, 1, 7] } } },
  { misc: { messageQuery: { switchDisplay: 1 } } },
  { misc: { refreshVideoDisplay: 0 } },
  { misc: { videoReceived: true } },
  { misc: { permissionInfo: { permission: 0, enabled: true } } },
  { misc: { chatMessage: { text: 'hi' } } },
  { misc: { closeReason: 'Closed manually' } },
  { screenshotRequest: { display: 0, sid: 'x' } },
  { messageBox: { msgtype: 'error', title: 't', text: 'x' } },
  { voiceCallRequest: { isConnect: true, reqTimestamp: 1n } },
  { auth2fa: { code: '123456' } },
];

function mutate(bytes: Uint8Array, random: (count: number) => Uint8Array): Uint8Array {
  const [kind = 0, where = 0, value = 0] = random(3);
  const at = bytes.length === 0 ? 0 : (where * 257 + value) % bytes.length;
  if (kind < 60) return bytes;
  if (kind < 90) return bytes.subarray(0, at);
  if (kind < 110)
    return Uint8Array.from([...bytes.subarray(0, at), ...random(value % 20), ...bytes.subarray(at)]);
  if (kind < 120) return random(value);
  const copy = bytes.slice();
  for (let count = 0; count <= value % 4; count++) {
    const place = count === 0 ? at : ((random(1)[0] ?? 0) * 7) % Math.max(1, copy.length);
    if (copy.length > 0) copy[place] = random(1)[0] ?? 0;
  }
  return copy;
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'mutated messages, seed %i: nothing escapes, a session lives or ends with a reason',
  (seed) => {
    const random = seededRandom(seed * 7919);
    const seeds = SEEDS.map((message) => encodeMessage(message));
    for (let round = 0; round < 60; round++) {
      const displays = [0, 1].map((index) => ({
        x: index * 320,
        y: 0,
        width: 320,
        height: 240,
        name: 'd',
        scale: 1,
      }));
      const pair = setUpPair(round % 3 === 0 ? {} : { password: 'secret' }, {
        desktop: new FakeDesktop(displays),
      });
      for (let count = 0; count < 60; count++) {
        const [pick = 0, side = 0, step = 0] = random(3);
        const bytes = mutate(seeds[pick % seeds.length] ?? new Uint8Array(), random);
        (side % 2 === 0 ? pair.link : pair.controllerLink).send(bytes);
        if (step < 20) pair.clock.advance(step * 50);
        if (step % 16 === 0 && pair.desktop.streams.some((stream) => !stream.stopped))
          pair.desktop.stream.frame(step % 32 === 0);
      }
      pair.host.disconnect();
      pair.controller.close();
      expect(pair.events.of('closed')).toHaveLength(1);
      expect(pair.controllerEvents.of('closed')).toHaveLength(1);
      expect(pair.events.all.at(-1)?.name).toBe('closed');
      expect(pair.clock.pending).toBe(0);
      expect(pair.desktop.streams.every((stream) => stream.stopped)).toBe(true);
    }
  },
);

test('stored frames open again, larger ones than allowed and broken ones do not', () => {
  for (const size of [0, 1, 131_072, 131_073, 400_000]) {
    const data = seededRandom(size + 1)(size);
    expect(zstdOpen(zstdStore(data), size)).toEqual(data);
    if (size > 0) expect(() => zstdOpen(zstdStore(data), size - 1)).toThrow(WireError);
  }
  const random = seededRandom(11);
  const good = zstdStore(random(3000));
  for (let count = 0; count < 2000; count++) {
    const bytes = mutate(good, random);
    try {
      expect(zstdOpen(bytes, 4096).length).toBeLessThanOrEqual(4096);
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
    }
  }
});

test('a large message before login ends the connection', () => {
  const pair = setUpPair();
  pair.controllerLink.send(new Uint8Array(PAYLOAD_LIMITS.login + 1));
  expect(pair.events.of('closed')[0]).toMatchObject({ by: 'error' });
});
