/** How people tell server keys apart: 16 hex digits in four groups, `3F2A-91C0-77BE-04D1`. */
import { createHash } from 'node:crypto';

/** Bytes of a key id: two keys with one id would take 2^32 tries to find, and nothing but a hint hangs on it. */
export const KEY_ID_BYTES = 8;

/** Standard base64 of 32 bytes, as a server's public key is written. */
export function isServerKey(key: string): boolean {
  return /^[A-Za-z0-9+/]{43}=$/.test(key);
}

/** The first bytes of SHA-256 over the key's 32 bytes, or over the text where the key is a text of somebody's own. */
export function keyId(key: string): Uint8Array {
  const bytes = isServerKey(key) ? Buffer.from(key, 'base64') : Buffer.from(key, 'utf8');
  return new Uint8Array(createHash('sha256').update(bytes).digest().subarray(0, KEY_ID_BYTES));
}

/** A key id in groups. */
export function formatKeyId(id: Uint8Array): string {
  const digits = Buffer.from(id.subarray(0, KEY_ID_BYTES)).toString('hex').toUpperCase();
  return digits.match(/.{4}/g)?.join('-') ?? '';
}

/** The fingerprint of a server key as clients configure it; '' for no key. */
export function fingerprint(key: string): string {
  return key === '' ? '' : formatKeyId(keyId(key));
}

/** The fingerprint of a key of 32 bytes. */
export function keyFingerprint(key: Uint8Array): string {
  return fingerprint(Buffer.from(key).toString('base64'));
}

/** A fingerprint as people may type it, in the form in which it is shown; null for anything else. */
export function readFingerprint(text: string): string | null {
  const digits = text.replace(/[\s-]/g, '').toUpperCase();
  return new RegExp(`^[0-9A-F]{${2 * KEY_ID_BYTES}}$`).test(digits) ? (digits.match(/.{4}/g)?.join('-') ?? null) : null;
}
