import { beforeEach, describe, expect, it } from 'vitest';
import nacl from 'tweetnacl';
import { fromHex, toHex } from '../../../test/vectors/load.ts';
import { initCrypto, SealedStream } from './index.ts';

const badSeal = expect.objectContaining({ name: 'WireError', code: 'BAD_SEAL' });

function ramp(first: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => first + i);
}

function nonceOf(count: number): Uint8Array {
  const nonce = new Uint8Array(24);
  new DataView(nonce.buffer).setBigUint64(0, BigInt(count), true);
  return nonce;
}

// The native build is optional; where it is missing both rounds run on WebAssembly.
describe.each([{ native: false }, { native: true }])('SealedStream with %j', (options) => {
  beforeEach(() => initCrypto(options));

  it('seals as in the rendezvous vectors', () => {
    const stream = new SealedStream(ramp(0x80));
    const hello = new TextEncoder().encode('hello');
    expect(toHex(stream.seal(hello))).toBe('bf7863257f3af60529e091b7577f86e862dc7fc85c');
    expect(toHex(stream.seal(hello))).toBe('db53b19220f32cb380c7b494681dff7773859d351c');
    for (let count = 3; count < 256; count++) stream.seal(hello);
    expect(toHex(stream.seal(hello))).toBe('78a57c092f197f8812f7c47882027eef4e5203c840');
    expect(toHex(new SealedStream(ramp(0x80)).seal(new Uint8Array()))).toBe(
      'db129a695d3cfa6c3fa331b6935aa017',
    );
  });

  it('seals as in the session vectors', () => {
    const stream = new SealedStream(ramp(0));
    const plain = fromHex('9a01025001');
    expect(toHex(stream.seal(plain))).toBe('45e11e6d37376da1f4e416782007e083583a8870f3');
    expect(toHex(stream.seal(plain))).toBe('2af07ca2cf8aac55b80c038334871626b11fc01f4b');
  });

  it('opens what the other end sealed, and the oracle agrees', () => {
    const [here, there] = [new SealedStream(ramp(7)), new SealedStream(ramp(7))];
    for (let count = 1; count <= 300; count++) {
      const plain = Uint8Array.from({ length: count * 3 }, (_, i) => (i * count) & 0xff);
      const sealed = here.seal(plain);
      expect(sealed).toEqual(nacl.secretbox(plain, nonceOf(count), ramp(7)));
      expect(there.open(sealed)).toEqual(plain);
    }
    expect(here.counts).toEqual({ sealed: 300, opened: 0 });
    expect(there.counts).toEqual({ sealed: 0, opened: 300 });
  });

  it('opens a sealed empty frame', () => {
    expect(new SealedStream(ramp(1)).open(new SealedStream(ramp(1)).seal(new Uint8Array()))).toEqual(
      new Uint8Array(),
    );
  });

  it('passes payloads of 0 and 1 bytes through without counting them', () => {
    const [here, there] = [new SealedStream(ramp(7)), new SealedStream(ramp(7))];
    expect(there.open(new Uint8Array())).toEqual(new Uint8Array());
    expect(there.open(Uint8Array.of(5))).toEqual(Uint8Array.of(5));
    expect(there.open(here.seal(Uint8Array.of(1, 2)))).toEqual(Uint8Array.of(1, 2));
  });

  it.each([
    ['lost', (frames: Uint8Array[]) => frames[1]],
    ['cut', (frames: Uint8Array[]) => frames[0]?.subarray(0, 17)],
    ['shorter than a tag', (frames: Uint8Array[]) => frames[0]?.subarray(0, 2)],
    ['damaged', (frames: Uint8Array[]) => frames[0]?.map((byte, i) => (i === 16 ? byte ^ 1 : byte))],
  ])('dies of a frame that was %s', (_, pick) => {
    const here = new SealedStream(ramp(7));
    const frames = [here.seal(Uint8Array.of(1, 2, 3)), here.seal(Uint8Array.of(4))];
    const there = new SealedStream(ramp(7));
    expect(() => there.open(pick(frames) ?? new Uint8Array(2))).toThrow(badSeal);
    // Even the right frame comes too late now.
    expect(() => there.open(frames[0] ?? new Uint8Array(2))).toThrow(badSeal);
  });

  it('does not open a replayed frame', () => {
    const sealed = new SealedStream(ramp(7)).seal(Uint8Array.of(1, 2, 3));
    const there = new SealedStream(ramp(7));
    there.open(sealed);
    expect(() => there.open(sealed)).toThrow(badSeal);
  });

  it('takes keys of 32 bytes only, and keeps its own copy', () => {
    expect(() => new SealedStream(new Uint8Array(31))).toThrow(expect.objectContaining({ code: 'BAD_KEY' }));
    const key = ramp(7);
    const stream = new SealedStream(key);
    key.fill(0);
    expect(stream.seal(Uint8Array.of(1))).toEqual(new SealedStream(ramp(7)).seal(Uint8Array.of(1)));
  });
});
