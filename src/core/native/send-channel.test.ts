import { expect, test } from 'vitest';
import { joinParts } from '../link.ts';
import { DATA_HEADER_BYTES } from './multipath-record.ts';
import { type SentRecord, SendChannel } from './send-channel.ts';

const KIB = 1024;
const MAX = 64 * KIB;

function ramp(length: number, from = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i + from) % 251);
}

function takeAll(channel: SendChannel): SentRecord[] {
  const records: SentRecord[] = [];
  for (let record = channel.take(MAX); record; record = channel.take(MAX)) records.push(record);
  return records;
}

function contents(records: readonly SentRecord[]): Uint8Array {
  return joinParts(records.map(({ parts }) => joinParts(parts).subarray(DATA_HEADER_BYTES)));
}

test('a frame in pieces is cut without copying the large ones', () => {
  const channel = new SendChannel(1, 8 * KIB * KIB);
  const pieces = [ramp(5), ramp(100 * KIB, 5), ramp(0), ramp(90 * KIB, 7)];
  channel.push(pieces);
  const records = takeAll(channel);
  expect(records.map(({ length }) => length - DATA_HEADER_BYTES)).toEqual([64 * KIB, 64 * KIB, 62 * KIB + 5]);
  expect(Buffer.compare(contents(records), joinParts(pieces))).toBe(0);
  const large = records.flatMap(({ parts }) => parts).filter((part) => part.length > KIB);
  expect(new Set(large.map(({ buffer }) => buffer))).toEqual(new Set([pieces[1]?.buffer, pieces[3]?.buffer]));
  expect(channel.queuedBytes).toBe(0);
});

test('a header in front of a piece of the full size makes no piece of its own', () => {
  const channel = new SendChannel(1, 8 * KIB * KIB);
  channel.push([ramp(5), ramp(MAX)]);
  channel.push([ramp(17), ramp(MAX)]);
  expect(takeAll(channel).map(({ length }) => length - DATA_HEADER_BYTES)).toEqual([MAX + 5, MAX, 17]);
});

test('memory that is owned is released when it has come, not when it has left', () => {
  const channel = new SendChannel(1, 8 * KIB * KIB);
  const mine = ramp(100 * KIB);
  const theirs = ramp(MAX);
  channel.push([mine], true);
  channel.push([theirs]);
  const first = contents(takeAll(channel));
  channel.rewind();
  const again = takeAll(channel);
  expect(Buffer.compare(contents(again), first)).toBe(0);
  expect(channel.acknowledge(1, 0, () => {})).toBe(true);
  expect(mine.length).toBe(100 * KIB);
  expect(channel.acknowledge(3, 0, () => {})).toBe(true);
  expect([mine.length, theirs.length]).toEqual([0, MAX]);
  expect(channel.empty).toBe(true);
});
