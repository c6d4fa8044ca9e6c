/** The login proof (session §2.4) and the texts that go with it (session §2.3). */
import { createHash } from 'node:crypto';
import type { RandomBytes } from './random.ts';

/** 32 characters that are not mistaken for one another: no 0, 1, l, o. */
export const TEXT_ALPHABET = '23456789abcdefghijkmnpqrstuvwxyz';
export const DIGITS = '0123456789';

const utf8 = new TextEncoder();

/** h1 = SHA-256(password ‖ salt), 32 bytes. It stands for the password under that salt: store it as carefully. */
export function passwordHash(password: string, salt: string): Uint8Array {
  return Uint8Array.from(
    createHash('sha256').update(utf8.encode(password)).update(utf8.encode(salt)).digest(),
  );
}

/** SHA-256(h1 ‖ challenge), 32 bytes: LoginRequest.password. */
export function passwordProof(h1: Uint8Array, challenge: string): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(h1).update(utf8.encode(challenge)).digest());
}

/**
 * `length` characters drawn evenly from `alphabet` (at most 256 characters): salts (32), challenges (6), one-time passwords.
 */
export function randomText(random: RandomBytes, length: number, alphabet: string = TEXT_ALPHABET): string {
  // Bytes at or above the last whole multiple are drawn again, or some characters would come up more often.
  const limit = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length)
    for (const byte of random(length - text.length))
      if (byte < limit) text += alphabet[byte % alphabet.length];
  return text;
}

/** Compares without telling by its duration where the first difference is. Different lengths are told at once. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
