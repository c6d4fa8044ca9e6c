/**
 * The change of a server's key: the old key signs the new one and the time in which a client that trusts the old one may
 * move on by itself. Afterwards the old key says nothing any more, so that one that leaked years later does no harm.
 */
import { decodeAs, encodeAs, hbb } from '../wire/proto.ts';
import { openCombined, SIGN_PUBLIC_KEY_BYTES, SIGNATURE_BYTES, signCombined } from './sign.ts';

/** The same key signs ids and box keys: no protobuf message and nothing of 32 bytes begins like this. */
const PREFIX = new TextEncoder().encode('LiteDesk server key 1\0');
/** Two keys, two times and the signature are some 170 bytes. */
const MAX_STATEMENT_BYTES = 400;
/** Changes that a client follows at once; a server that was away for longer hands out a new invitation. */
const MAX_STEPS = 16;
/** Seconds by which the clocks of server and client may differ. */
const MAX_SKEW_S = 86_400;

export interface KeyChange {
  /** 32 bytes each. */
  readonly oldKey: Uint8Array;
  readonly newKey: Uint8Array;
  /** Unix times in seconds. */
  readonly issued: number;
  readonly expires: number;
}

/** Signs a change with the old secret key (64 bytes). */
export function sealKeyStatement(change: KeyChange, oldSecretKey: Uint8Array): Uint8Array {
  const body = encodeAs(hbb.ServerKeyStatement, { ...change });
  const text = new Uint8Array(PREFIX.length + body.length);
  text.set(PREFIX);
  text.set(body, PREFIX.length);
  return signCombined(text, oldSecretKey);
}

/** The change, or null when it is not signed by `oldKey`, speaks of another key, or is not (any more) good at `nowS`. */
export function openKeyStatement(sealed: Uint8Array, oldKey: Uint8Array, nowS: number): KeyChange | null {
  if (sealed.length <= SIGNATURE_BYTES + PREFIX.length || sealed.length > MAX_STATEMENT_BYTES) return null;
  const text = openCombined(sealed, oldKey);
  if (!text || !same(text.subarray(0, PREFIX.length), PREFIX)) return null;
  try {
    const change = decodeAs<hbb.ServerKeyStatement>(hbb.ServerKeyStatement, text.subarray(PREFIX.length), 20);
    const { newKey, issued, expires } = change;
    if (!same(change.oldKey, oldKey) || newKey.length !== SIGN_PUBLIC_KEY_BYTES || same(newKey, oldKey)) return null;
    if (nowS > expires + MAX_SKEW_S || nowS < issued - MAX_SKEW_S) return null;
    return { oldKey: oldKey.slice(), newKey: newKey.slice(), issued, expires };
  } catch {
    return null;
  }
}

/** The newest key that the statements lead to from `known`, or null when they lead nowhere. */
export function followKeyStatements(statements: readonly Uint8Array[], known: Uint8Array, nowS: number): Uint8Array | null {
  let key: Uint8Array | null = null;
  const some = statements.slice(0, MAX_STEPS);
  for (let step = 0; step < some.length; step++) {
    const from: Uint8Array = key ?? known;
    const change = some.map((sealed) => openKeyStatement(sealed, from, nowS)).find((opened) => opened !== null);
    if (!change) break;
    key = change.newKey;
  }
  return key;
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
