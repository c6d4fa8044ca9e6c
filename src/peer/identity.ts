/**
 * Who this computer is: its ID, its machine uuid and its Ed25519 pair (rendezvous §5.4, §5.5), kept in one file that only
 * the user may read.
 */
import { createHash, randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { randomText, signKeyPair } from '../core/crypto/index.ts';
import type { RandomBytes } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import { replacePrivateFile } from '../net/private-file.ts';
import { dataNotWritten } from './errors.ts';

const identitySchema = z.object({
  id: z.string().min(6).max(64),
  uuid: z.string().min(1).max(128),
  publicKey: z.string(),
  secretKey: z.string(),
  /** Stable across connections, so that a remembered password proof stays valid (session §2.4). */
  salt: z.string().min(6).max(64),
});

export interface Identity {
  readonly id: string;
  readonly uuid: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
  readonly salt: string;
}

/** Writes a file that only the user may read, whole or not at all. Errors: DATA_NOT_WRITTEN. */
export function writePrivateFile(path: string, text: string): void {
  try {
    replacePrivateFile(path, text);
  } catch (error) {
    throw dataNotWritten(path, error);
  }
}

/** Makes the data folder with mode 0700 where it is missing. Errors: DATA_NOT_WRITTEN. */
export function ensureDataDir(dir: string): void {
  try {
    if (!existsSync(dir)) mkdirSync(dir, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw dataNotWritten(dir, error);
  }
}

/** The ID that upstream gives a desktop: MAC bytes 2..5, big-endian, low 29 bits, in decimal (rendezvous §5.5). */
export function idFromMac(mac: string): string | null {
  const bytes = mac.split(':').map((part) => Number.parseInt(part, 16));
  if (bytes.length !== 6 || bytes.some((byte) => !Number.isInteger(byte))) return null;
  const [, , b2 = 0, b3 = 0, b4 = 0, b5 = 0] = bytes;
  const id = String(((((b2 << 24) | (b3 << 16) | (b4 << 8) | b5) >>> 0) & 0x1fffffff) >>> 0);
  return id.length >= 6 ? id : null;
}

/** A random id as it is taken after UUID_MISMATCH: 1 000 000 000 … 1 999 999 999. */
export function randomId(): string {
  return String(randomInt(1_000_000_000, 2_000_000_000));
}

function firstMac(): string | null {
  for (const addresses of Object.values(networkInterfaces()))
    for (const address of addresses ?? [])
      if (!address.internal && address.mac !== '00:00:00:00:00:00') return address.mac;
  return null;
}

function machineText(): string {
  for (const path of ['/etc/machine-id', '/var/lib/dbus/machine-id'])
    try {
      return readFileSync(path, 'utf8').trim();
    } catch {
      // Not this one.
    }
  return firstMac() ?? 'no-machine-id';
}

/**
 * The uuid names the installation, not only the machine: two data folders on one computer (or another program of this
 * wire beside it) must not take each other's ID, which the server tells apart by uuid.
 */
function installationUuid(dataDir: string): string {
  return createHash('sha256').update(`litedesk\0${machineText()}\0${resolve(dataDir)}`).digest('hex').slice(0, 32);
}

/** The identity of a data folder; made on first use. Crypto must be ready (`initCrypto`). */
export class IdentityStore {
  readonly #path: string;
  #identity: Identity;

  constructor(dataDir: string, random: RandomBytes) {
    ensureDataDir(dataDir);
    this.#path = join(dataDir, 'identity.json');
    this.#identity = existsSync(this.#path) ? this.#read() : this.#create(dataDir, random);
  }

  get current(): Identity {
    return this.#identity;
  }

  /** Takes a new id, after the server said that the present one belongs to another machine (rendezvous §5.5). */
  changeId(id: string): void {
    this.#identity = { ...this.#identity, id };
    this.#write();
  }

  #read(): Identity {
    try {
      const file = identitySchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
      return {
        id: file.id,
        uuid: Buffer.from(file.uuid, 'utf8'),
        publicKey: Buffer.from(file.publicKey, 'base64'),
        secretKey: Buffer.from(file.secretKey, 'base64'),
        salt: file.salt,
      };
    } catch (cause) {
      throw new LiteDeskError(
        {
          code: 'IDENTITY_UNREADABLE',
          stage: 'usage',
          message: `The identity file ${this.#path} is damaged.`,
          hint: 'Restore it from a backup, or move it away to get a new ID.',
        },
        { cause },
      );
    }
  }

  #create(dataDir: string, random: RandomBytes): Identity {
    const pair = signKeyPair();
    const mac = firstMac();
    this.#identity = {
      id: (mac && idFromMac(mac)) ?? randomId(),
      uuid: Buffer.from(installationUuid(dataDir), 'utf8'),
      publicKey: pair.publicKey,
      secretKey: pair.secretKey,
      salt: randomText(random, 32),
    };
    this.#write();
    return this.#identity;
  }

  #write(): void {
    const { id, uuid, publicKey, secretKey, salt } = this.#identity;
    writePrivateFile(
      this.#path,
      JSON.stringify(
        {
          id,
          uuid: Buffer.from(uuid).toString('utf8'),
          publicKey: Buffer.from(publicKey).toString('base64'),
          secretKey: Buffer.from(secretKey).toString('base64'),
          salt,
        },
        null,
        2,
      ),
    );
  }
}
