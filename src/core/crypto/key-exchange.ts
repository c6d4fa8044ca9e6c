/** The encrypted TCP connection between a client and its rendezvous server (rendezvous §6.9), as two pure halves. */
import { WireError } from '../errors.ts';
import { encodeRendezvous, type hbb } from '../wire/proto.ts';
import {
  BOX_KEY_BYTES,
  type BoxKeyPair,
  boxKeyPair,
  openSessionKey,
  SESSION_KEY_BYTES,
  sealSessionKey,
} from './box.ts';
import { type RandomBytes, systemRandom } from './random.ts';
import { openCombined, signCombined } from './sign.ts';

export interface ServerKeyExchange {
  /** The encoded RendezvousMessage to send first. */
  readonly greeting: Uint8Array;
  /** The session key of the client's answer, or null: close the connection. Both directions are sealed from then on. */
  accept(answer: hbb.IKeyExchange): Uint8Array | null;
}

/** The server's half, with a fresh box key for this connection unless one is given. `signSecretKey` has 64 bytes. */
export function serverKeyExchange(
  signSecretKey: Uint8Array,
  box: BoxKeyPair = boxKeyPair(),
): ServerKeyExchange {
  return {
    greeting: encodeRendezvous({ keyExchange: { keys: [signCombined(box.publicKey, signSecretKey)] } }),
    accept(answer) {
      const [theirPk, sealed, ...more] = answer.keys ?? [];
      if (!theirPk || !sealed || more.length > 0) return null;
      return openSessionKey(sealed, theirPk, box.secretKey);
    },
  };
}

export interface ClientKeyExchange {
  /** The encoded RendezvousMessage to answer with, the last one in clear. */
  readonly answer: Uint8Array;
  /** 32 bytes. */
  readonly sessionKey: Uint8Array;
}

/**
 * The client's half. Null when the greeting is not signed with the server key (32 bytes) that the client was configured
 * with, or holds an unusable key; either is fatal for the connection.
 */
export function clientKeyExchange(
  greeting: hbb.IKeyExchange,
  serverPublicKey: Uint8Array,
  options: { random?: RandomBytes; box?: BoxKeyPair } = {},
): ClientKeyExchange | null {
  const [signed, ...more] = greeting.keys ?? [];
  if (!signed || more.length > 0) return null;
  const theirPk = openCombined(signed, serverPublicKey);
  if (theirPk?.length !== BOX_KEY_BYTES) return null;
  const box = options.box ?? boxKeyPair();
  const sessionKey = (options.random ?? systemRandom)(SESSION_KEY_BYTES);
  try {
    const sealed = sealSessionKey(sessionKey, theirPk, box.secretKey);
    return { answer: encodeRendezvous({ keyExchange: { keys: [box.publicKey, sealed] } }), sessionKey };
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
