/** What a client is told about the server's key when it has another one. */
import { fingerprint, isServerKey, keyId } from '../../core/crypto/index.ts';
import type { hbb } from '../../core/wire/index.ts';
import type { Ask } from '../asks.ts';
import type { ServerKeySet } from '../key-ring.ts';

/** What stock clients send when no key was entered: that of the public servers (rendezvous §0). */
const PUBLIC_SERVERS_KEY = 'OeVuKk5nlHiXp+APNn0Y3pC1Iwpwn44JGqrQCsWqmBw=';

/**
 * Goes with LICENSE_MISMATCH: both fingerprints and the next step, as text for stock clients, which show `other_failure`
 * as it is, and as a key id for ours. Nothing for what is no key at all, so that such an answer stays as short as ever.
 */
export function explainKey(licenceKey: string, keys: ServerKeySet): hbb.IPunchHoleResponse {
  if (!isServerKey(licenceKey)) return {};
  const theirs =
    licenceKey === PUBLIC_SERVERS_KEY
      ? 'no key is set here'
      : `the key set here has the fingerprint ${fingerprint(licenceKey)}`;
  return {
    serverKeyId: keyId(keys.publicKey),
    otherFailure:
      `Key mismatch: ${theirs}, the server's has ${fingerprint(keys.publicKey)}. ` +
      'Enter the key from the server in the network settings.',
  };
}

/** Tells a controller with an older key that there is a newer one. */
export function newerKey(ask: Ask, keys: ServerKeySet): hbb.IPunchHoleResponse {
  return ask.signer ? { serverKeyId: keyId(keys.publicKey) } : {};
}
