import { beforeAll, expect, test } from 'vitest';
import { boxKeyPair, initCrypto, signIdPk } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import { forEachSeed, type SeededRandom } from '../core/testing/seeds.ts';
import { encodeMessage } from '../core/wire/index.ts';
import { HOST_ID, testKeys } from './attacks/mitm.ts';
import { ScriptLink } from './script-link.ts';
import { secureAsController, secureAsHost } from './secure.ts';

beforeAll(() => initCrypto());

function mutate(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const out = [...bytes];
  for (let count = random.between(1, 4); count > 0; count--) {
    const at = random.below(out.length + 1);
    const kind = random.next();
    if (kind < 0.5) out[at] = random.below(256);
    else if (kind < 0.7) out.splice(at, random.below(8));
    else if (kind < 0.9) out.splice(at, 0, ...random.bytes(random.between(1, 8)));
    else out.length = at;
  }
  return Uint8Array.from(out);
}

test('mutated frames of the stock key exchange give a plain refusal and nothing else', async () => {
  const { host } = testKeys();
  const codes = new Map<string, number>();
  await forEachSeed(600, async (random, seed) => {
    const link = new ScriptLink();
    const hostSide = seed % 2 === 0;
    const side = hostSide
      ? secureAsHost(link, { id: HOST_ID, signSecretKey: host.secretKey, allowPlaintext: false })
      : secureAsController(link, { peerId: HOST_ID, hostKey: host.publicKey, allowPlaintext: false });
    const asymmetricValue = boxKeyPair().publicKey;
    const valid = hostSide
      ? encodeMessage({ publicKey: { asymmetricValue, symmetricValue: new Uint8Array(48) } })
      : encodeMessage({ signedId: { id: signIdPk(HOST_ID, asymmetricValue, host.secretKey) } });
    link.feed(mutate(valid, random));
    const code = await side.then(
      () => 'ok',
      (error: unknown) => (error instanceof LiteDeskError ? error.code : `untyped: ${String(error)}`),
    );
    expect(code).toMatch(/^(ok|HANDSHAKE_[A-Z_]+)$/);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }, (cases) => {
    // A mutation may hit a byte that does not count, but hardly ever.
    expect(codes.get('ok') ?? 0).toBeLessThan(cases / 15);
    expect(codes.size).toBeGreaterThan(3);
  });
});
