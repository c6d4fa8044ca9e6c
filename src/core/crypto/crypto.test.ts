import { beforeAll, describe, expect, it } from 'vitest';
import nacl from 'tweetnacl';
import { fromHex, toHex } from '../../../test/vectors/load.ts';
import { decodeRendezvous, encodeMessage, type hbb } from '../wire/index.ts';
import {
  boxKeyPair,
  clientKeyExchange,
  constantTimeEqual,
  DIGITS,
  initCrypto,
  openCombined,
  openIdPk,
  openSessionKey,
  passwordHash,
  passwordProof,
  randomText,
  sealSessionKey,
  serverKeyExchange,
  signCombined,
  signIdPk,
  signKeyPair,
  systemRandom,
  TEXT_ALPHABET,
} from './index.ts';

beforeAll(() => initCrypto());

/** `count` bytes that go up from `first`, as the vectors of the specifications have it. */
function ramp(first: number, count = 32): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => first + i);
}

const id = '123456789';
const serverSign = () => signKeyPair(ramp(0x00));
const hostSign = () => signKeyPair(ramp(0x20));
const hostBox = () => boxKeyPair(ramp(0x40));
const controllerBox = () => boxKeyPair(ramp(0x60));
const serverBox = () => boxKeyPair(ramp(0xa0));
const sym = ramp(0x80);

describe('keys of the rendezvous vectors', () => {
  it('come from their seeds', () => {
    expect(Buffer.from(serverSign().secretKey).toString('base64')).toBe(
      'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3RjnS8CZZ+TWMJulDV8d3IZkElUxuA==',
    );
    expect(Buffer.from(serverSign().publicKey).toString('base64')).toBe(
      'A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=',
    );
    expect(toHex(hostSign().publicKey)).toBe(
      '29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7',
    );
    expect(toHex(hostBox().publicKey)).toBe(
      '79a631eede1bf9c98f12032cdeadd0e7a079398fc786b88cc846ec89af85a51a',
    );
    expect(toHex(controllerBox().publicKey)).toBe(
      '675dd574ed7789310b3d2e7681f3790b466c773b1521fecf36577958371ea52f',
    );
  });

  it('are the oracle’s', () => {
    const seed = systemRandom(32);
    expect(signKeyPair(seed)).toEqual({ ...nacl.sign.keyPair.fromSeed(seed) });
    expect(boxKeyPair(seed).publicKey).toEqual(nacl.box.keyPair.fromSecretKey(seed).publicKey);
    expect(signKeyPair().secretKey).toHaveLength(64);
    expect(toHex(boxKeyPair().secretKey)).not.toBe(toHex(boxKeyPair().secretKey));
  });
});

describe('signed ids', () => {
  it('are the pk field and the signed_id of the vectors', () => {
    const pkField = signIdPk(id, hostSign().publicKey, serverSign().secretKey);
    expect(toHex(pkField)).toBe(
      '5bc63d711b2e63ccd12004983dbe260287491cd5797b7b2114e1810b523e7074ce2f2f2d1d844c773b357fef6e0eb7402a16e957fa77c8afc4c9fe9ae3aa2b08' +
        '0a093132333435363738391220' +
        '29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7',
    );
    const signedId = signIdPk(id, hostBox().publicKey, hostSign().secretKey);
    expect(toHex(encodeMessage({ signedId: { id: signedId } }))).toBe(
      '1a6f0a6d' +
        'ecb5a2dc58dc46ab981d70c38dfcef7a4b14d5ee84cbd8060ec14296ec8f44a65051bac6e210a4e021e05cb1ecf810abe89324af03f2993fc7130bd0a56e9b0f' +
        '0a093132333435363738391220' +
        '79a631eede1bf9c98f12032cdeadd0e7a079398fc786b88cc846ec89af85a51a',
    );
    expect(openIdPk(pkField, serverSign().publicKey)).toEqual({ id, pk: hostSign().publicKey });
    expect(openIdPk(signedId, hostSign().publicKey)).toEqual({ id, pk: hostBox().publicKey });
  });

  it('are those of the session vectors', () => {
    const sign = signKeyPair(new Uint8Array(32).fill(0x33));
    expect(toHex(sign.publicKey)).toBe('17cb79fb2b4120f2b1ec65e4198d6e08b28e813feb01e4a400839b85e18080ce');
    const box = boxKeyPair(new Uint8Array(32).fill(0x11));
    expect(toHex(box.publicKey)).toBe('7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13');
    expect(toHex(signIdPk(id, box.publicKey, sign.secretKey))).toBe(
      '17be1535fb9e0f3e6e3cbd83fe7a045453c9e5a8ca3faf68838c33a234329c147d9e47e7fc00c5903703089e56a9d992cf9faca568b78487c61c930c8cd6650b' +
        '0a0931323334353637383912207b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13',
    );
    const eph = boxKeyPair(new Uint8Array(32).fill(0x22));
    expect(toHex(eph.publicKey)).toBe('0faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20');
    const sealed = sealSessionKey(ramp(0), box.publicKey, eph.secretKey);
    expect(toHex(sealed)).toBe(
      '1124df0e69ba575ca501997a9992c1be742564616357af6c8a08a8e486b292963b8bed3aaf1c8e70134410f62d9c889b',
    );
    expect(openSessionKey(sealed, eph.publicKey, box.secretKey)).toEqual(ramp(0));
  });

  it('do not open when anything is wrong', () => {
    const signed = signIdPk(id, hostBox().publicKey, hostSign().secretKey);
    const key = hostSign().publicKey;
    expect(openIdPk(signed, serverSign().publicKey)).toBeNull();
    expect(openIdPk(signed, new Uint8Array())).toBeNull();
    expect(openIdPk(signed, new Uint8Array(32))).toBeNull();
    expect(openIdPk(new Uint8Array(), key)).toBeNull();
    expect(openIdPk(signed.subarray(0, 63), key)).toBeNull();
    for (const at of [0, 63, 64, signed.length - 1]) {
      const damaged = Uint8Array.from(signed);
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(openIdPk(damaged, key)).toBeNull();
    }
    // Well signed, yet no IdPk, or one with a short key.
    expect(openIdPk(signCombined(Uint8Array.of(0xff), hostSign().secretKey), key)).toBeNull();
    expect(openIdPk(signIdPk(id, new Uint8Array(31), hostSign().secretKey), key)).toBeNull();
  });

  it('open with the oracle and the other way round', () => {
    const pair = signKeyPair();
    const message = systemRandom(200);
    expect(nacl.sign.open(signCombined(message, pair.secretKey), pair.publicKey)).toEqual(message);
    expect(openCombined(nacl.sign(message, pair.secretKey), pair.publicKey)).toEqual(message);
    expect(openCombined(signCombined(new Uint8Array(), pair.secretKey), pair.publicKey)).toEqual(
      new Uint8Array(),
    );
  });
});

describe('the session key', () => {
  it('is boxed as in the vectors', () => {
    const sealed = sealSessionKey(sym, hostBox().publicKey, controllerBox().secretKey);
    expect(
      toHex(
        encodeMessage({ publicKey: { asymmetricValue: controllerBox().publicKey, symmetricValue: sealed } }),
      ),
    ).toBe(
      '22540a20675dd574ed7789310b3d2e7681f3790b466c773b1521fecf36577958371ea52f' +
        '1230b5631759150b02acdc04e29f46e538de722f179507f80af21fa278ec13007074f62feca493fb07561194f7012bbdb84f',
    );
    expect(openSessionKey(sealed, controllerBox().publicKey, hostBox().secretKey)).toEqual(sym);
    expect(nacl.box.open(sealed, new Uint8Array(24), controllerBox().publicKey, hostBox().secretKey)).toEqual(
      sym,
    );
  });

  it('does not open when anything is wrong', () => {
    const sealed = sealSessionKey(sym, hostBox().publicKey, controllerBox().secretKey);
    expect(openSessionKey(sealed, hostBox().publicKey, hostBox().secretKey)).toBeNull();
    expect(openSessionKey(sealed, new Uint8Array(), hostBox().secretKey)).toBeNull();
    expect(openSessionKey(sealed, new Uint8Array(32), hostBox().secretKey)).toBeNull();
    expect(openSessionKey(sealed.subarray(1), controllerBox().publicKey, hostBox().secretKey)).toBeNull();
    for (const pk of [new Uint8Array(32), new Uint8Array(31)])
      expect(() => sealSessionKey(sym, pk, hostBox().secretKey)).toThrow(
        expect.objectContaining({ name: 'WireError', code: 'BAD_KEY' }),
      );
    expect(openSessionKey(new Uint8Array(48), controllerBox().publicKey, hostBox().secretKey)).toBeNull();
  });
});

describe('key exchange with the server', () => {
  const exchangeOf = (bytes: Uint8Array): hbb.KeyExchange => {
    const { keyExchange } = decodeRendezvous(bytes);
    if (!keyExchange) throw new Error('no KeyExchange');
    return keyExchange;
  };

  it('has the bytes of the vectors', () => {
    const server = serverKeyExchange(serverSign().secretKey, serverBox());
    expect(toHex(server.greeting)).toBe(
      'ca01620a6088a89f1f0bd24553c162abce337e1e878ba862c5ba51e5a29326f32ef9a9c8d12f2c5ef36c74d79bf91625e6c3f8dce730f8904c92265c558783522f48d94502' +
        '605a725d2a4adfeeb1a29e17edd621c1b7593ee8cdbc44ac6c4ab6e2f805d23c',
    );
    const client = clientKeyExchange(exchangeOf(server.greeting), serverSign().publicKey, {
      box: controllerBox(),
      random: () => sym,
    });
    if (!client) throw new Error('the greeting was refused');
    expect(toHex(client.answer)).toBe(
      'ca01540a20675dd574ed7789310b3d2e7681f3790b466c773b1521fecf36577958371ea52f' +
        '0a3084cbbc1b9d43ab7e591409ff44dc0dc732d40406191d39958c5ca3f088a3351a00ccc30bd9cf56ab94625f0febeb3002',
    );
    expect(server.accept(exchangeOf(client.answer))).toEqual(sym);
  });

  it('gives both ends one fresh key', () => {
    const { publicKey, secretKey } = signKeyPair();
    const server = serverKeyExchange(secretKey);
    const client = clientKeyExchange(exchangeOf(server.greeting), publicKey);
    if (!client) throw new Error('the greeting was refused');
    expect(server.accept(exchangeOf(client.answer))).toEqual(client.sessionKey);
    expect(client.sessionKey).not.toEqual(
      clientKeyExchange(exchangeOf(server.greeting), publicKey)?.sessionKey,
    );
  });

  it('is refused by either end when anything is wrong', () => {
    const server = serverKeyExchange(serverSign().secretKey);
    const greeting = exchangeOf(server.greeting);
    expect(clientKeyExchange(greeting, hostSign().publicKey)).toBeNull();
    expect(clientKeyExchange({ keys: [] }, serverSign().publicKey)).toBeNull();
    expect(clientKeyExchange({}, serverSign().publicKey)).toBeNull();
    expect(
      clientKeyExchange({ keys: [...greeting.keys, ...greeting.keys] }, serverSign().publicKey),
    ).toBeNull();
    const short = signCombined(new Uint8Array(31), serverSign().secretKey);
    expect(clientKeyExchange({ keys: [short] }, serverSign().publicKey)).toBeNull();
    // A degenerate point, rightly signed, would make the shared secret a constant.
    const zero = signCombined(new Uint8Array(32), serverSign().secretKey);
    expect(clientKeyExchange({ keys: [zero] }, serverSign().publicKey)).toBeNull();
    for (const keys of [[], [sym], [sym, new Uint8Array(48)], [sym, new Uint8Array(47)], [sym, sym, sym]])
      expect(server.accept({ keys })).toBeNull();
  });
});

describe('passwords', () => {
  it('are proved as in the vector', () => {
    const h1 = passwordHash('hunter2', 'k3xq7mzd');
    expect(toHex(h1)).toBe('64195e00a2d45fdd7ff8b76651f4447152a95b681d09564517794366b6fe4cb3');
    expect(toHex(passwordProof(h1, 'a4n8cw'))).toBe(
      '8375f3a8ece8c4375ef48e5a0a990a1e5147b728e42a33121ccdde43a9ba8319',
    );
  });

  it('may be of any letters', () => {
    expect(passwordHash('пароль', 'соль')).toHaveLength(32);
    expect(passwordHash('', '')).toEqual(
      fromHex('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'),
    );
  });

  it('compare equal only to themselves', () => {
    expect(constantTimeEqual(ramp(1), ramp(1))).toBe(true);
    expect(constantTimeEqual(ramp(1), ramp(2))).toBe(false);
    expect(constantTimeEqual(ramp(1), ramp(1, 31))).toBe(false);
    expect(constantTimeEqual(new Uint8Array(), new Uint8Array())).toBe(true);
  });
});

describe('randomText', () => {
  it('has the asked length and only letters of the alphabet', () => {
    expect(TEXT_ALPHABET).toHaveLength(32);
    expect(randomText(systemRandom, 32)).toMatch(/^[2-9a-km-np-z]{32}$/);
    expect(randomText(systemRandom, 8, DIGITS)).toMatch(/^\d{8}$/);
    expect(randomText(systemRandom, 0)).toBe('');
  });

  it('draws every letter equally often', () => {
    // All byte values once each: 250 to 255 are past the last whole multiple of 10 and must be drawn again.
    let given = 0;
    const everyByte = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => given++ % 256);
    const text = randomText(everyByte, 250, DIGITS);
    for (const digit of DIGITS) expect(text.split(digit)).toHaveLength(26);
  });
});

describe('systemRandom', () => {
  it('fills more than one call of the platform gives', () => {
    const bytes = systemRandom(200_000);
    expect(bytes).toHaveLength(200_000);
    expect(bytes.subarray(-64).some((byte) => byte !== 0)).toBe(true);
  });
});
