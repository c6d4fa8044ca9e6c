/**
 * CPace (draft-irtf-cfrg-cpace-21), a password-authenticated key exchange: suite CPACE-RISTR255-SHA512, initiator and
 * responder. Whoever takes part learns with each run whether one password was right, and whoever watches learns nothing.
 */
import { createHash, createHmac } from 'node:crypto';
import { ristretto255, ristretto255_hasher } from '@noble/curves/ed25519.js';
import type { RandomBytes } from '../crypto/random.ts';

export const CPACE_SHARE_BYTES = 32;
const SCALAR_BYTES = 32;
/** Input block of SHA-512, which the password and its padding fill. */
const HASH_BLOCK_BYTES = 128;

const utf8 = new TextEncoder();
const DSI = utf8.encode('CPaceRistretto255');
const DSI_ISK = utf8.encode('CPaceRistretto255_ISK');

/** What both ends must agree on beforehand. */
export interface CpaceContext {
  /** The password-related string, PRS. */
  readonly password: Uint8Array;
  /** Channel identifier, CI: where this takes place. */
  readonly channel: Uint8Array;
  /** Unique for each session. */
  readonly sid: Uint8Array;
}

/** One end's message: its share with what it binds to it (AD). */
export interface CpaceMessage {
  readonly share: Uint8Array;
  readonly associated: Uint8Array;
}

/** One end of one run, from its share to the session key. The secret point can be had before there is a password. */
export class CpaceRun {
  readonly #scalar: bigint;

  constructor(random: RandomBytes) {
    this.#scalar = readScalar(random(SCALAR_BYTES));
  }

  /** Y, 32 bytes: what to send. For one context only: a second one would be a second run. */
  share(context: CpaceContext): Uint8Array {
    return hashToGroup(generatorString(context)).multiply(this.#scalar).toBytes();
  }

  /** The secret point K, or null for a share that is no point or leads to the neutral one: the run is then over. */
  secret(theirShare: Uint8Array): Uint8Array | null {
    return scalarMultVfy(this.#scalar, theirShare);
  }
}

/** ISK, 64 bytes, of a run with `initiator` (A) and `responder` (B). */
export function cpaceSessionKey(
  sid: Uint8Array,
  secret: Uint8Array,
  initiator: CpaceMessage,
  responder: CpaceMessage,
): Uint8Array {
  const transcript = [initiator.share, initiator.associated, responder.share, responder.associated];
  return sha512(lvCat(DSI_ISK, sid, secret, ...transcript));
}

/** Explicit key confirmation (draft §10.4): the tag, 64 bytes, of the end that sent `message`. */
export function cpaceTag(sid: Uint8Array, sessionKey: Uint8Array, message: CpaceMessage): Uint8Array {
  const key = sha512(Buffer.concat([utf8.encode('CPaceMac'), sid, sessionKey]));
  return Uint8Array.from(createHmac('sha512', key).update(lvCat(message.share, message.associated)).digest());
}

/** What is hashed to the generator (draft §7.1): the padding puts the password into a hash block of its own. */
export function generatorString({ password, channel, sid }: CpaceContext): Uint8Array {
  const used = lvCat(DSI).length + lvCat(password).length + 1;
  return lvCat(DSI, password, new Uint8Array(Math.max(0, HASH_BLOCK_BYTES - used)), channel, sid);
}

/** scalar · point, or null where the draft has the neutral element (§7.2). */
export function scalarMultVfy(scalar: bigint, share: Uint8Array): Uint8Array | null {
  try {
    const point = ristretto255.Point.fromBytes(share).multiply(scalar);
    return point.is0() ? null : point.toBytes();
  } catch {
    return null;
  }
}

/** 32 bytes, little-endian, without the bits above the size of the group (draft §8.3), which keeps it below its order. */
export function readScalar(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let at = SCALAR_BYTES - 1; at >= 0; at--) value = (value << 8n) | BigInt(bytes[at] ?? 0);
  const scalar = BigInt.asUintN(252, value);
  // Never in the life of the universe, unless the source of randomness is dead.
  if (scalar === 0n) throw new Error('the random source gives zeros');
  return scalar;
}

/** Each part behind its length in LEB128. */
export function lvCat(...parts: Uint8Array[]): Uint8Array {
  const out: Uint8Array[] = [];
  for (const part of parts) {
    const length: number[] = [];
    let rest = part.length;
    for (; rest >= 0x80; rest >>>= 7) length.push((rest & 0x7f) | 0x80);
    length.push(rest);
    out.push(Uint8Array.from(length), part);
  }
  return new Uint8Array(Buffer.concat(out));
}

function hashToGroup(input: Uint8Array): InstanceType<typeof ristretto255.Point> {
  const derive = ristretto255_hasher.deriveToCurve;
  if (!derive) throw new Error('the curve library has no ristretto255 map');
  return derive(sha512(input));
}

function sha512(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(createHash('sha512').update(bytes).digest());
}
