/**
 * Enrolment by invitation. The invitation holds a token; from it comes a key pair, of which the server keeps the public
 * half. A device proves that it has the token by signing its own id, machine and key: the token itself never travels, what
 * does is of no use to anybody else, and what the server keeps enrols nobody.
 */
import { createHash } from 'node:crypto';
import type { RandomBytes } from './random.ts';
import { systemRandom } from './random.ts';
import { openCombined, SIGNATURE_BYTES, signCombined, signKeyPair } from './sign.ts';

/** 128 random bits: nobody tries them all. */
const TOKEN_BYTES = 16;
/** Bytes of a token's name. */
const TOKEN_NAME_BYTES = 8;
export const PROOF_BYTES = TOKEN_NAME_BYTES + SIGNATURE_BYTES;

/** What a device enrols with. */
export interface Enrolling {
  readonly id: string;
  readonly uuid: Uint8Array;
  /** The device's public key. */
  readonly pk: Uint8Array;
}

/** A fresh token, 22 characters that need no escaping anywhere. */
export function newEnrolmentToken(random: RandomBytes = systemRandom): string {
  return Buffer.from(random(TOKEN_BYTES)).toString('base64url');
}

/** What a server keeps of a token: checks proofs, but makes none. 32 bytes. */
export function tokenVerifier(token: string): Uint8Array {
  return pairOf(token).publicKey;
}

/** By this name a proof says which token it is about. */
export function tokenName(verifier: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(verifier).digest().subarray(0, TOKEN_NAME_BYTES));
}

/** Proof for the server with this key (as clients configure it) that the device has the token. */
export function proveEnrolment(token: string, serverKey: string, device: Enrolling): Uint8Array {
  const { publicKey, secretKey } = pairOf(token);
  const signature = signCombined(statement(serverKey, device), secretKey).subarray(0, SIGNATURE_BYTES);
  const proof = new Uint8Array(PROOF_BYTES);
  proof.set(tokenName(publicKey));
  proof.set(signature, TOKEN_NAME_BYTES);
  return proof;
}

/** The name of the token that a proof is about, or null when it is no proof. */
export function nameOfProof(proof: Uint8Array): Uint8Array | null {
  return proof.length === PROOF_BYTES ? proof.subarray(0, TOKEN_NAME_BYTES) : null;
}

/** Whether the proof was made with the token of this verifier, for this server and this device. */
export function checkEnrolment(proof: Uint8Array, verifier: Uint8Array, serverKey: string, device: Enrolling): boolean {
  if (proof.length !== PROOF_BYTES) return false;
  const text = statement(serverKey, device);
  const signed = new Uint8Array(SIGNATURE_BYTES + text.length);
  signed.set(proof.subarray(TOKEN_NAME_BYTES));
  signed.set(text, SIGNATURE_BYTES);
  return openCombined(signed, verifier) !== null;
}

function pairOf(token: string): { publicKey: Uint8Array; secretKey: Uint8Array } {
  return signKeyPair(new Uint8Array(createHash('sha256').update(`LiteDesk enrolment 1\0${token}`).digest()));
}

/** A hash over parts with their lengths: no two devices share one. */
function statement(serverKey: string, { id, uuid, pk }: Enrolling): Uint8Array {
  const hash = createHash('sha256').update('LiteDesk enrolment 1\0');
  for (const part of [Buffer.from(serverKey), Buffer.from(id), uuid, pk]) {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(part.length);
    hash.update(length).update(part);
  }
  return new Uint8Array(hash.digest());
}
