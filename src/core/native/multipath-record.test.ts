import { expect, test } from 'vitest';
import { WireError } from '../errors.ts';
import { forEachSeed } from '../testing/seeds.ts';
import { CLOSE_CODE, encodeClose, dataHeader, encodePing, encodePong, encodeUse, readRecords, writeAck } from './multipath-record.ts';
import type { RecordHandlers } from './multipath-record.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const NONCE = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

function read(frame: Uint8Array): unknown[] {
  const seen: unknown[] = [];
  const handlers: RecordHandlers = {
    onData: (channel, sequence, more, bytes) => seen.push(['data', channel, sequence, more, hex(bytes)]),
    onAck: (channel, sequence, limit) => seen.push(['ack', channel, sequence, limit]),
    onPing: (nonce) => seen.push(['ping', hex(nonce)]),
    onPong: (nonce) => seen.push(['pong', hex(nonce)]),
    onUse: () => seen.push(['use']),
    onClose: (code, reason) => seen.push(['close', code, reason]),
  };
  readRecords(frame, handlers);
  return seen;
}

test('records byte for byte', () => {
  expect(hex(dataHeader(1, 0x01_0203_0405, false))).toBe('0101000102030405');
  expect(hex(dataHeader(2, 7, true))).toBe('0202000000000007');
  const ack = new Uint8Array(14);
  writeAck(ack, 0, 1, 0xffff_ffff_ffff, 0x1_0000_0000);
  expect(hex(ack)).toBe('0301ffffffffffff000100000000');
  expect(hex(encodePing(NONCE))).toBe('040102030405060708');
  expect(hex(encodePong(NONCE))).toBe('050102030405060708');
  expect(hex(encodeUse())).toBe('06');
  expect(hex(encodeClose(CLOSE_CODE.failed, 'é'))).toBe('0701c3a9');
});

test('control records stand one after the other, DATA and CLOSE take the rest', () => {
  const frame = new Uint8Array(14 + 9 + 1 + 10);
  writeAck(frame, 0, 2, 5, 70_000);
  frame.set(encodePing(NONCE), 14);
  frame.set(encodeUse(), 23);
  frame.set(dataHeader(0, 9, false), 24);
  frame.set([1, 2], 32);
  expect(read(frame)).toEqual([['ack', 2, 5, 70_000], ['ping', hex(NONCE)], ['use'], ['data', 0, 9, false, '0102']]);
  expect(read(encodeClose(CLOSE_CODE.done, ''))).toEqual([['close', 0, '']]);
  expect(read(dataHeader(0, 0, true))).toEqual([['data', 0, 0, true, '']]);
});

test('an unknown type ends the frame and nothing else; a reason is cut to its limit', () => {
  expect(read(Uint8Array.of(0x06, 0x99, 1, 2, 3))).toEqual([['use']]);
  expect(read(new Uint8Array(0))).toEqual([]);
  expect(encodeClose(1, 'x'.repeat(10_000)).length).toBe(258);
});

test('any bytes are read within bounds, or refused with a WireError', async () => {
  await forEachSeed(3_000, (random) => {
    const frame = random.bytes(random.between(0, 80));
    if (frame.length > 0 && random.chance(0.8)) frame[0] = random.between(1, 7);
    let seen: unknown[] = [];
    try {
      seen = read(frame);
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
    }
    expect(seen.length).toBeLessThanOrEqual(32);
  });
});
