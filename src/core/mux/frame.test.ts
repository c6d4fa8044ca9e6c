import { expect, test } from 'vitest';
import { WireError } from '../errors.ts';
import { forEachSeed, type SeededRandom } from '../testing/seeds.ts';
import { STREAM_CODES } from './codes.ts';
import { DatagramReader, encodeDatagram, MAX_DATAGRAM_BYTES } from './datagram.ts';
import { decodeFrame, encodeFrame, type MuxFrame } from './frame.ts';
import { decodeTarget, encodeTarget, formatTarget, type StreamTarget } from './target.ts';

const TARGETS: StreamTarget[] = [
  { kind: 'tcp', host: 'db.example', port: 5432 },
  { kind: 'udp', host: '2001:db8::1', port: 53 },
  { kind: 'service', name: 'files' },
  { kind: 'published', name: 'web', remoteAddress: '203.0.113.9:40000' },
];
const FRAMES: MuxFrame[] = [
  { type: 'hello', version: 1 },
  ...TARGETS.map((target, n): MuxFrame => ({ type: 'open', id: 2 * n + 1, target })),
  { type: 'opened', id: 1, address: '192.0.2.1:5432' },
  { type: 'data', id: 0xffff_fffe, bytes: new Uint8Array([1, 2, 3]) },
  { type: 'close', id: 1 },
  { type: 'reset', id: 1, code: 'refused-by-rule', reason: 'nein – «no»' },
  { type: 'credit', id: 0, bytes: 0xffff_ffff },
  { type: 'ping', nonce: 7 },
  { type: 'pong', nonce: 7 },
  { type: 'goaway', code: 'protocol', reason: '' },
  { type: 'group', frames: [encodeFrame({ type: 'ping', nonce: 7 }), encodeFrame({ type: 'close', id: 1 })] },
];
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('every frame comes back as it was', () => {
  for (const frame of FRAMES) expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
});

test('the bytes are those of the documentation', () => {
  expect(hex(encodeFrame({ type: 'open', id: 1, target: { kind: 'tcp', host: 'a.b', port: 80 } }))).toBe('01000000010100' + '50' + '612e62');
  expect(hex(encodeFrame({ type: 'data', id: 258, bytes: new Uint8Array([9]) }))).toBe('030000010209');
  expect(hex(encodeFrame({ type: 'reset', id: 3, code: 'dns', reason: 'x' }))).toBe('0500000003000378');
  expect(hex(encodeFrame({ type: 'credit', id: 0, bytes: 65536 }))).toBe('060000000000010000');
  expect(hex(encodeTarget({ kind: 'published', name: 'w', remoteAddress: '1.2.3.4:5' }))).toBe('040177' + hex(Buffer.from('1.2.3.4:5')));
});

test('targets that would confuse somebody are none', () => {
  const bad: StreamTarget[] = [
    { kind: 'tcp', host: '', port: 1 },
    { kind: 'tcp', host: 'a\nb', port: 1 },
    { kind: 'tcp', host: 'a b', port: 1 },
    { kind: 'tcp', host: 'a\u202eb', port: 1 },
    { kind: 'tcp', host: 'x'.repeat(256), port: 1 },
    { kind: 'udp', host: 'a', port: 0 },
    { kind: 'udp', host: 'a', port: 65536 },
    { kind: 'service', name: '' },
  ];
  for (const target of bad) expect(() => encodeTarget(target), formatTarget(target)).toThrow(WireError);
  expect(decodeFrame(Uint8Array.of(1, 0, 0, 0, 1, 9, 9))).toEqual({ type: 'open', id: 1, target: null });
  expect(() => decodeTarget(new Uint8Array(2000).fill(1))).toThrow('too long');
});

test('extensions are skipped, everything else that is unknown is not', () => {
  expect(decodeFrame(Uint8Array.of(0x80, 1, 2))).toBeNull();
  expect(() => decodeFrame(Uint8Array.of(0x7f))).toThrow(WireError);
  expect(() => decodeFrame(new Uint8Array())).toThrow(WireError);
  const reset = encodeFrame({ type: 'reset', id: 1, code: 'dns', reason: '' });
  reset[5] = 0xff;
  expect(decodeFrame(reset)).toMatchObject({ code: 'unknown' });
  expect(new Set(Object.values(STREAM_CODES)).size).toBe(Object.keys(STREAM_CODES).length);
});

test('no bytes do anything but decode or throw WireError', async () => {
  await forEachSeed(5_000, (random) => {
    const bytes = mutated(random);
    try {
      const frame = decodeFrame(bytes);
      if (frame?.type === 'reset' || frame?.type === 'goaway') expect(frame.reason).not.toMatch(/[\p{Cc}]/u);
      if (frame?.type === 'open' && frame.target) expect(decodeTarget(encodeTarget(frame.target))).toEqual(frame.target);
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
    }
  });
});

function mutated(random: SeededRandom): Uint8Array {
  if (random.chance(0.1)) return random.bytes(random.below(60));
  const bytes = encodeFrame(random.pick(FRAMES));
  for (let n = random.below(4); n > 0 && bytes.length > 0; n--) bytes[random.below(bytes.length)] = random.below(256);
  return bytes.subarray(0, random.chance(0.3) ? random.below(bytes.length + 1) : bytes.length);
}

test('datagrams come out as they went in, however the stream was cut', async () => {
  await forEachSeed(200, (random) => {
    const sent = Array.from({ length: random.below(20) }, () => random.bytes(random.below(random.chance(0.1) ? 60_000 : 300)));
    const wire = Buffer.concat(sent.map(encodeDatagram));
    const reader = new DatagramReader();
    const received: Uint8Array[] = [];
    for (let at = 0; at < wire.length; ) {
      const end = Math.min(wire.length, at + 1 + random.below(2_000));
      received.push(...reader.push(wire.subarray(at, end)));
      at = end;
    }
    expect(received.map(hex)).toEqual(sent.map(hex));
  });
  expect(() => encodeDatagram(new Uint8Array(MAX_DATAGRAM_BYTES + 1))).toThrow(RangeError);
});
