/** Basic auth in front of a published service: the publisher sends a salted scrypt hash, and the server checks against it. */
import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { BasicAuth } from './control.ts';

export const SALT_BYTES = 16;
export const HASH_BYTES = 32;
/** 16 MiB and some 30 ms: a guess costs as much, and the server keeps count of wrong ones. */
const COST = { N: 16_384, r: 8, p: 1 };

/** What goes to the server for this user and password. */
export async function hashBasicAuth(user: string, password: string): Promise<BasicAuth> {
  const salt = Uint8Array.from(randomBytes(SALT_BYTES));
  return { user, salt, hash: await derive(password, salt) };
}

/** Whether user and password are the ones that were hashed; takes as long for a wrong user. */
export async function checkBasicAuth(expected: BasicAuth, user: string, password: string): Promise<boolean> {
  const hash = await derive(password, expected.salt);
  const samePassword = timingSafeEqual(hash, expected.hash);
  const sameUser = timingSafeEqual(digest(user), digest(expected.user));
  return sameUser && samePassword;
}

/** User and password of an Authorization header (RFC 7617); null when it is none of that kind. */
export function readAuthorization(header: string): { readonly user: string; readonly password: string } | null {
  const match = /^basic +([A-Za-z0-9+/]{1,1024}={0,2})$/i.exec(header.trim());
  if (!match) return null;
  const pair = Buffer.from(match[1] ?? '', 'base64').toString('utf8');
  const colon = pair.indexOf(':');
  return colon < 0 ? null : { user: pair.slice(0, colon), password: pair.slice(colon + 1) };
}

function derive(password: string, salt: Uint8Array): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_BYTES, COST, (error, hash) => (error ? reject(error) : resolve(Uint8Array.from(hash))));
  });
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
