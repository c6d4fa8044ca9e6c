import { systemClock } from '../../src/core/clock.ts';
import { initCrypto, signKeyPair } from '../../src/core/crypto/index.ts';
import { systemRandom } from '../../src/core/crypto/random.ts';
import { MultipathLink } from '../../src/core/native/multipath.ts';
import type { NetLink } from '../../src/net/net-link.ts';
import { secureAsController, secureAsHost } from '../../src/net/secure.ts';
import type { EndOptions } from './wire.ts';

const HOST_ID = '123456789';

/** The link of a session with `first` as its only path: the native handshake, then the link over several paths. The sender is the host. */
export async function nativeLink(first: NetLink, { role, keySeed }: EndOptions): Promise<MultipathLink> {
  await initCrypto();
  const key = signKeyPair(Buffer.from(keySeed, 'hex'));
  const link =
    role === 'send'
      ? await secureAsHost(first, {
          id: HOST_ID,
          signSecretKey: key.secretKey,
          allowPlaintext: false,
          native: { findSession: () => null },
        })
      : await secureAsController(first, {
          peerId: HOST_ID,
          hostKey: key.publicKey,
          allowPlaintext: false,
          nativeOnly: true,
          native: { identity: null },
        });
  return new MultipathLink({
    clock: systemClock,
    random: systemRandom,
    role: role === 'send' ? 'host' : 'controller',
    first: { link, kind: 'udp' },
  });
}
