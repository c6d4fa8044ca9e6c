/** The server's key pair on disk, in the files of the open server (rendezvous §1.6). */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { signKeyPair } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import { createPrivateFile, replacePrivateFile } from '../net/private-file.ts';

export interface ServerKeys {
  readonly secretKey: Uint8Array;
  /** Standard base64 of the 32 public bytes: what people copy, and the licence key of rendezvous §1.6. */
  readonly publicKey: string;
}

const SECRET_FILE = 'id_ed25519';
/** Base64 of 64 bytes. */
const SECRET_TEXT = /^[A-Za-z0-9+/]{86}==$/;
/** The share of keys without `/` and `:` is about one in two; the odds that none of so many has one are nil. */
const MAX_TRIES = 300;

function keysFromSecret(base64: string): ServerKeys | null {
  const text = base64.trim();
  if (!SECRET_TEXT.test(text)) return null;
  const secretKey = new Uint8Array(Buffer.from(text, 'base64'));
  // The second half must be the public key of the first, or every signature would be wrong.
  const own = signKeyPair(secretKey.subarray(0, 32));
  if (Buffer.compare(own.publicKey, secretKey.subarray(32)) !== 0) return null;
  return { secretKey, publicKey: Buffer.from(own.publicKey).toString('base64') };
}

/** Whether `file` holds a key pair of the open server; other programs use the same name for theirs. */
export function looksLikeServerKey(file: string): boolean {
  try {
    return SECRET_TEXT.test(readFileSync(file, 'utf8').trim());
  } catch {
    return false;
  }
}

/** A secret key given as text instead of a file (base64 of 64 bytes), or null when the text is none. */
export function parseSecretKey(text: string): ServerKeys | null {
  return keysFromSecret(text);
}

/**
 * Reads the key pair of `dataDir`, making it (and the directory) when there is none. Both files get mode 0600.
 * @throws LiteDeskError KEY_FILE_BROKEN when `id_ed25519` is there but is no key pair: a new one would lock out every client.
 */
export function loadOrCreateKeys(dataDir: string): ServerKeys {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const secretPath = join(dataDir, SECRET_FILE);
  let text: string | undefined;
  try {
    text = readFileSync(secretPath, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw keyFileError(secretPath, error);
  }
  if (text !== undefined) {
    const keys = keysFromSecret(text);
    if (!keys) throw keyFileError(secretPath, undefined);
    keepAsIs(secretPath, keys);
    return keys;
  }
  const keys = newKeys();
  // Of two servers started at once, one makes the key and the other fails instead of replacing it.
  createPrivateFile(secretPath, Buffer.from(keys.secretKey).toString('base64'));
  writeFileSync(`${secretPath}.pub`, keys.publicKey, { mode: 0o600 });
  return keys;
}

/**
 * Files that hbbs made stay as they are, except that the secret one is closed to others. In a folder that is only lent to
 * us (a read-only mount, another owner) not even that; a key that can be read is good enough to serve with.
 */
function keepAsIs(secretPath: string, keys: ServerKeys): void {
  try {
    if ((statSync(secretPath).mode & 0o077) !== 0) chmodSync(secretPath, 0o600);
    const publicPath = `${secretPath}.pub`;
    const known = existsSync(publicPath) ? readFileSync(publicPath, 'utf8').trim() : '';
    if (known !== keys.publicKey) writeFileSync(publicPath, keys.publicKey, { mode: 0o644 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPERM' && code !== 'EACCES' && code !== 'EROFS') throw keyFileError(secretPath, error);
  }
}

/** Replaces the pair in `dataDir`; on return it is on disk. @throws what the file system throws */
export function saveKeys(dataDir: string, keys: ServerKeys): void {
  const path = join(dataDir, SECRET_FILE);
  replacePrivateFile(path, Buffer.from(keys.secretKey).toString('base64'));
  replacePrivateFile(`${path}.pub`, keys.publicKey);
}

/** A fresh pair whose public key has neither `/` nor `:` in base64, as the open server makes them (rendezvous §1.6). */
export function newKeys(): ServerKeys {
  for (let i = 0; i < MAX_TRIES; i++) {
    const pair = signKeyPair(new Uint8Array(randomBytes(32)));
    const publicKey = Buffer.from(pair.publicKey).toString('base64');
    if (!/[/:]/.test(publicKey)) return { secretKey: pair.secretKey, publicKey };
  }
  throw keyFileError('a fresh key pair', undefined);
}

function keyFileError(path: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'KEY_FILE_BROKEN',
      stage: 'server',
      message: `The server's key pair cannot be read from ${path}.`,
      hint: 'Restore the file from a backup, or remove it to make a new key pair (every client then needs the new key).',
    },
    { cause },
  );
}
