import { describe, expect, test } from 'vitest';
import { systemRandom } from '../crypto/random.ts';
import { forEachSeed } from '../testing/seeds.ts';
import {
  CpaceRun,
  cpaceSessionKey,
  cpaceTag,
  generatorString,
  lvCat,
  readScalar,
  scalarMultVfy,
} from './cpace.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const toHex = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString('hex');
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Appendix B.3 of the draft. */
const VECTOR = {
  context: {
    password: utf8('Password'),
    channel: hex('6f630b425f726573706f6e6465720b415f696e69746961746f72'),
    sid: hex('7e4b4791d6a8ef019b936c79fb7f2c57'),
  },
  generatorString: `11435061636552697374726574746f3235350850617373776f726464${'00'.repeat(100)}1a6f630b425f726573706f6e6465720b415f696e69746961746f72107e4b4791d6a8ef019b936c79fb7f2c57`,
  ya: 'da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08',
  Ya: 'd40fb265a7abeaee7939d91a585fe59f7053f982c296ec413c624c669308f87a',
  yb: 'd2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d',
  Yb: '08bcf6e9777a9c313a3db6daa510f2d398403319c2341bd506a92e672eb7e307',
  K: 'e22b1ef7788f661478f3cddd4c600774fc0f41e6b711569190ff88fa0e607e09',
  isk: '4c5469a16b2364c4b944ebc1a79e51d1674ad47db26e8718154f59faebfaa52d8346f30aa58377117eb20d527f2cbc5c76381f7fd372e89df8239f87f2e02ed1',
};

describe('the vectors of the draft', () => {
  test('generator string, with its padding as length and zeros', () => {
    const padded = VECTOR.generatorString;
    expect(toHex(generatorString(VECTOR.context))).toBe(padded);
  });

  test('shares, secret point and session key', () => {
    const a = new CpaceRun(() => hex(VECTOR.ya));
    const b = new CpaceRun(() => hex(VECTOR.yb));
    const [shareA, shareB] = [a.share(VECTOR.context), b.share(VECTOR.context)];
    expect([toHex(shareA), toHex(shareB)]).toEqual([VECTOR.Ya, VECTOR.Yb]);
    const secret = a.secret(shareB) ?? new Uint8Array();
    expect([toHex(secret), toHex(b.secret(shareA))]).toEqual([VECTOR.K, VECTOR.K]);
    const [fromA, fromB] = [
      { share: shareA, associated: utf8('ADa') },
      { share: shareB, associated: utf8('ADb') },
    ];
    expect(toHex(cpaceSessionKey(VECTOR.context.sid, secret, fromA, fromB))).toBe(VECTOR.isk);
  });

  test('scalar multiplication, and what must not be multiplied', () => {
    const scalar = readScalar(hex('7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05'));
    const point = hex('2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c');
    expect(toHex(scalarMultVfy(scalar, point))).toBe(
      '7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e',
    );
    const noPoint = hex('2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c');
    expect(scalarMultVfy(scalar, noPoint)).toBeNull();
    expect(scalarMultVfy(scalar, new Uint8Array(32))).toBeNull();
  });

  test('lengths of more than one byte', () => {
    expect(toHex(lvCat(new Uint8Array(128))).slice(0, 6)).toBe('800100');
    expect(toHex(lvCat(utf8('1234'), new Uint8Array(), utf8('56')))).toBe('043132333400023536');
  });
});

describe('a run', () => {
  const context = { password: utf8('secret'), channel: utf8('here'), sid: new Uint8Array(16) };

  function keys(theirs: Partial<typeof context>): [string, string] {
    const [a, b] = [new CpaceRun(systemRandom), new CpaceRun(systemRandom)];
    const [fromA, fromB] = [
      { share: a.share(context), associated: utf8('') },
      { share: b.share({ ...context, ...theirs }), associated: utf8('') },
    ];
    const [secretA, secretB] = [a.secret(fromB.share), b.secret(fromA.share)];
    if (!secretA || !secretB) throw new Error('two secrets');
    const keyA = cpaceSessionKey(context.sid, secretA, fromA, fromB);
    const keyB = cpaceSessionKey({ ...context, ...theirs }.sid, secretB, fromA, fromB);
    return [toHex(cpaceTag(context.sid, keyA, fromA)), toHex(cpaceTag(context.sid, keyB, fromA))];
  }

  test('agrees on a key with the same password in the same place alone', () => {
    const [a, b] = keys({});
    expect(a).toBe(b);
    for (const other of [
      { password: utf8('Secret') },
      { channel: utf8('there') },
      { sid: new Uint8Array(16).fill(1) },
    ]) {
      const [one, two] = keys(other);
      expect(one).not.toBe(two);
    }
  });

  test('takes any bytes for a share and throws for none', async () => {
    const run = new CpaceRun(systemRandom);
    await forEachSeed(300, (random) => {
      const bytes = random.bytes(random.chance(0.8) ? 32 : random.below(70));
      const secret = run.secret(bytes);
      if (secret) expect([bytes.length, secret.length]).toEqual([32, 32]);
    });
  });
});
