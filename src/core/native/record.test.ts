import { describe, expect, test } from 'vitest';
import { WireError } from '../errors.ts';
import { forEachSeed } from '../testing/seeds.ts';
import { RECORD_TAG_BYTES, RecordStream } from './record.ts';

function pair(rekey = { records: 5, bytes: 10_000 }): [RecordStream, RecordStream] {
  const [a, b] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
  return [
    new RecordStream({ sendKey: a, receiveKey: b, rekey }),
    new RecordStream({ sendKey: b, receiveKey: a, rekey }),
  ];
}

describe('records', () => {
  test('carry any content both ways, over many changes of the key', async () => {
    await forEachSeed(50, (random) => {
      const [a, b] = pair();
      for (let i = 0; i < 60; i++) {
        const content = random.bytes(random.chance(0.2) ? random.below(4000) : random.below(40));
        const [from, to] = random.chance(0.5) ? [a, b] : [b, a];
        if (random.chance(0.3)) random.pick([a, b]).prepare();
        const sealed = from.seal(content);
        expect(sealed.length).toBe(content.length + RECORD_TAG_BYTES);
        expect(to.open(sealed)).toEqual(content);
      }
    });
  });

  test('are the same bytes whether their cipher was made ready before or not', () => {
    const [[a, b], [c]] = [pair(), pair()];
    for (let i = 0; i < 20; i++) {
      a.prepare();
      a.prepare();
      b.prepare();
      const sealed = a.seal(Uint8Array.of(i));
      expect(sealed).toEqual(c.seal(Uint8Array.of(i)));
      expect(b.open(sealed)).toEqual(Uint8Array.of(i));
    }
  });

  test('with the same content look different each time and in each direction', () => {
    const [a, b] = pair();
    const seen = new Set<string>();
    for (let i = 0; i < 20; i++)
      for (const end of [a, b]) seen.add(Buffer.from(end.seal(new Uint8Array(32))).toString('hex'));
    expect(seen.size).toBe(40);
  });

  const wrongs: [string, (records: Uint8Array[], mine: Uint8Array) => Uint8Array][] = [
    ['changed', (records) => records[0]?.map((byte, i) => (i === 3 ? byte ^ 1 : byte)) ?? new Uint8Array()],
    ['cut short', (records) => records[0]?.subarray(0, -1) ?? new Uint8Array()],
    ['empty', () => new Uint8Array()],
    ['shorter than a tag', () => new Uint8Array(RECORD_TAG_BYTES - 1)],
    ['out of order', (records) => records[1] ?? new Uint8Array()],
    ['reflected', (_, mine) => mine],
  ];
  test.each(wrongs)('that are %s end the stream for good', (_, wrong) => {
    const [a, b] = pair();
    const records = [a.seal(new Uint8Array(20).fill(7)), a.seal(new Uint8Array(20).fill(8))];
    expect(() => b.open(wrong(records, b.seal(new Uint8Array(20))))).toThrow(WireError);
    // The right one comes too late.
    expect(() => b.open(records[0] ?? new Uint8Array())).toThrow(WireError);
  });

  test('a record is opened once', () => {
    const [a, b] = pair();
    const record = a.seal(Uint8Array.of(1));
    expect(b.open(record)).toEqual(Uint8Array.of(1));
    expect(() => b.open(record)).toThrow(WireError);
  });
});
