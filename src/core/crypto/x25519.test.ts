import { beforeAll, expect, test } from 'vitest';
import { WireError } from '../errors.ts';
import { initCrypto } from './sodium.ts';
import { x25519, x25519PublicKey } from './x25519.ts';

beforeAll(() => initCrypto());
const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));

test('the exchange of RFC 7748, section 6.1', () => {
  const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
  const alicePublic = hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
  expect(x25519PublicKey(bob)).toEqual(hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f'));
  expect(x25519(bob, alicePublic)).toEqual(
    hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'),
  );
});

test.each([
  ['of another length', new Uint8Array(31).fill(9)],
  ['of zeros', new Uint8Array(32)],
  ['of low order', hex('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800')],
])('a key %s is refused', (_, key) => {
  expect(() => x25519(new Uint8Array(32).fill(3), key)).toThrow(WireError);
});
