import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../test/vectors/load.ts';
import { encodeFrame, FrameDecoder, frameHeader, MAX_FRAME_PAYLOAD } from './index.ts';

/** A payload whose bytes tell their position. */
function ramp(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i % 251);
}

describe('frameHeader', () => {
  it.each([
    [0, '00'],
    [1, '04'],
    [5, '14'],
    [63, 'fc'],
    [64, '0101'],
    [100, '9101'],
    [300, 'b104'],
    [16383, 'fdff'],
    [16384, '020001'],
    [65536, '020004'],
    [1048576, '020040'],
    [4194303, 'feffff'],
    [4194304, '03000001'],
    [1073741823, 'ffffffff'],
  ])('of %i bytes is %s', (length, hex) => {
    expect(toHex(frameHeader(length))).toBe(hex);
  });

  it('refuses what does not fit', () => {
    for (const length of [MAX_FRAME_PAYLOAD + 1, -1, Number.NaN])
      expect(() => frameHeader(length)).toThrow(
        expect.objectContaining({ name: 'WireError', code: 'FRAME_TOO_LARGE' }),
      );
  });
});

describe('FrameDecoder', () => {
  it('reads a frame of the specification', () => {
    const frame = fromHex('3c320d0a093132333435363738391003');
    expect(new FrameDecoder().push(frame).map(toHex)).toEqual(['320d0a093132333435363738391003']);
    expect(toHex(encodeFrame(fromHex('320d0a093132333435363738391003')))).toBe(toHex(frame));
  });

  it('gives the same payloads however the stream is cut', () => {
    const sizes = [0, 1, 63, 64, 300, 0, 16383, 16384, 70000];
    const stream = Buffer.concat(sizes.map((size) => encodeFrame(ramp(size))));
    for (const step of [1, 2, 3, 7, 64, 1000, 65536, stream.length]) {
      const decoder = new FrameDecoder();
      const found: Uint8Array[] = [];
      for (let at = 0; at < stream.length; at += step)
        found.push(...decoder.push(stream.subarray(at, at + step)));
      expect(found.map((payload) => payload.length)).toEqual(sizes);
      for (const payload of found) expect(Buffer.compare(payload, ramp(payload.length))).toBe(0);
      expect(decoder.buffered).toBe(0);
    }
  });

  it('accepts over-long headers', () => {
    for (const header of ['14', '1500', '160000', '17000000'])
      expect(new FrameDecoder().push(fromHex(`${header}68656c6c6f`)).map(toHex)).toEqual(['68656c6c6f']);
  });

  it('copies, so that the chunk may be reused', () => {
    const chunk = encodeFrame(ramp(10));
    const [payload] = new FrameDecoder().push(chunk);
    chunk.fill(0xff);
    expect(payload).toEqual(ramp(10));
    expect(payload?.constructor).toBe(Uint8Array);
  });

  it('shows payloads in the chunk itself where they lie whole, and keeps what is left only when asked', () => {
    const decoder = new FrameDecoder();
    const chunk = Uint8Array.from([...encodeFrame(ramp(10)), ...encodeFrame(ramp(300)).subarray(0, 100)]);
    decoder.feed(chunk);
    expect(decoder.next()?.buffer).toBe(chunk.buffer);
    expect(decoder.next()).toBeNull();
    chunk.fill(0xff);
    decoder.feed(Uint8Array.from([...encodeFrame(ramp(300)).subarray(100), ...encodeFrame(ramp(20))]));
    expect(decoder.next()).toEqual(ramp(300));
    expect(decoder.next()).toEqual(ramp(20));
    expect(decoder.next()).toBeNull();
    expect(decoder.buffered).toBe(0);
  });

  it('refuses a header above its limit, and stays refusing', () => {
    const decoder = new FrameDecoder({ maxPayload: 100 });
    expect(decoder.push(encodeFrame(ramp(100)))).toHaveLength(1);
    const refusal = expect.objectContaining({ name: 'WireError', code: 'FRAME_TOO_LARGE' });
    expect(() => decoder.push(frameHeader(101))).toThrow(refusal);
    expect(() => decoder.push(encodeFrame(ramp(1)))).toThrow(refusal);
    expect(() => new FrameDecoder().push(fromHex('ffffffff'))).toThrow(refusal);
  });

  it('holds no more than twice what was received, whatever a header announces', () => {
    const decoder = new FrameDecoder({ maxPayload: MAX_FRAME_PAYLOAD });
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 100; i++)
      new FrameDecoder({ maxPayload: MAX_FRAME_PAYLOAD }).push(fromHex('ffffffff00'));
    expect(decoder.push(fromHex('ffffffff00'))).toEqual([]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
    expect(decoder.buffered).toBe(5);
  });

  it('hands over what is left when a stream turns raw', () => {
    const decoder = new FrameDecoder();
    const raw = fromHex('deadbeef');
    const first = decoder.pushOne(Buffer.concat([encodeFrame(ramp(3)), raw]));
    expect(first).toEqual(ramp(3));
    expect(toHex(decoder.takeRest())).toBe('deadbeef');
    expect(decoder.buffered).toBe(0);

    expect(decoder.push(fromHex('0901616263'))).toEqual([]);
    expect(toHex(decoder.takeRest())).toBe('0901616263');
    expect(decoder.push(encodeFrame(ramp(2)))).toEqual([ramp(2)]);
  });

  it('gives buffered payloads one by one', () => {
    const decoder = new FrameDecoder();
    expect(decoder.pushOne(Buffer.concat([encodeFrame(ramp(1)), encodeFrame(ramp(2))]))).toEqual(ramp(1));
    expect(decoder.pushOne(new Uint8Array())).toEqual(ramp(2));
    expect(decoder.pushOne(new Uint8Array())).toBeNull();
  });

  it('takes a large frame in single bytes without moving it over and over', () => {
    // A quadratic decoder would move some 10^11 bytes here.
    const frame = encodeFrame(ramp(500_000));
    const decoder = new FrameDecoder();
    let found: Uint8Array[] = [];
    for (let i = 0; i < frame.length; i++) found = decoder.push(frame.subarray(i, i + 1));
    expect(found).toHaveLength(1);
    expect(Buffer.compare(found[0] ?? new Uint8Array(), ramp(500_000))).toBe(0);
  });
});
