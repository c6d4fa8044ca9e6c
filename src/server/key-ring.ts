/**
 * The server's keys: the pair that signs, those that it replaced a while ago, and what clients must send as licence_key
 * (rendezvous §1.6, §6.7). After a rotation clients with the old key go on as before until the overlap ends, and those
 * that can follow a signed statement move to the new key by themselves.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { followKeyStatements, isServerKey, keyId, sealKeyStatement } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import { loadOrCreateKeys, newKeys, parseSecretKey, saveKeys, type ServerKeys } from './key-file.ts';
import { replacePrivateFile } from '../net/private-file.ts';

const RETIRED_FILE = 'retired-keys.json';
/** Keys that overlap at once; more than this is no rotation but a mistake, and each costs a try per ticket. */
const MAX_RETIRED = 8;
/** ms: ten years, more is no overlap. */
const MAX_OVERLAP_MS = 10 * 365 * 86_400_000;

interface RetiredKey {
  readonly keys: ServerKeys;
  /** Unix ms until which it is still accepted. */
  readonly until: number;
  /** Signed with this key: the one that came after it. */
  readonly statement: Uint8Array;
}

const retiredSchema = z.object({
  keys: z
    .array(z.object({ secretKey: z.string().max(100), until: z.number(), statement: z.string().max(1_000) }))
    .max(MAX_RETIRED),
});

export interface KeyRingOptions {
  readonly dataDir: string;
  /** Licence key as in rendezvous §1.6: absent or `-` the pair's own, '' none, a secret key, or any text. */
  readonly key: string | undefined;
  /** Unix time in ms. */
  readonly unixMs?: (() => number) | undefined;
}

/** What the rendezvous rules ask of the keys. */
export type ServerKeySet = Pick<
  KeyRing,
  'current' | 'publicKey' | 'accepts' | 'signerFor' | 'newerThan' | 'statementsFrom'
>;

export interface Rotation {
  readonly oldKey: string;
  readonly newKey: string;
  /** Unix ms until which the old key is accepted. */
  readonly until: number;
}

export class KeyRing {
  readonly #dataDir: string;
  readonly #unixMs: () => number;
  /** What clients must send, where it is not the public key itself. */
  readonly #licenceText: string | null;
  /** The pair was given as text, so it is not ours to change. */
  readonly #fixed: boolean;
  readonly #listeners = new Set<(rotation: Rotation) => void>();
  #current: ServerKeys;
  #retired: readonly RetiredKey[] = [];

  /** Reads or makes the key pair. @throws LiteDeskError KEY_FILE_BROKEN */
  constructor(options: KeyRingOptions) {
    const { dataDir, key = '-', unixMs = Date.now } = options;
    this.#dataDir = dataDir;
    this.#unixMs = unixMs;
    const given = parseSecretKey(key);
    this.#fixed = given !== null;
    this.#licenceText = given || key === '-' || key === '_' ? null : key;
    this.#current = given ?? loadOrCreateKeys(dataDir);
    if (!given) this.#retired = this.#readRetired();
  }

  /** The pair that signs. */
  get current(): ServerKeys {
    return this.#current;
  }

  /** What clients configure as the key. */
  get publicKey(): string {
    return this.#licenceText || this.#current.publicKey;
  }

  /** Whether a client with this licence_key is served. */
  accepts(licenceKey: string): boolean {
    if (this.#licenceText !== null) return this.#licenceText === '' || licenceKey === this.#licenceText;
    return licenceKey === this.#current.publicKey || this.#live().some(({ keys }) => keys.publicKey === licenceKey);
  }

  /** The pair whose signatures a client with this licence_key can check. */
  signerFor(licenceKey: string): ServerKeys {
    if (licenceKey === this.#current.publicKey || this.#retired.length === 0) return this.#current;
    return this.#live().find(({ keys }) => keys.publicKey === licenceKey)?.keys ?? this.#current;
  }

  /** Pairs that clients may trust now, the newest first. */
  pairs(): readonly ServerKeys[] {
    return [this.#current, ...this.#live().map(({ keys }) => keys)];
  }

  /** What clients may have as the key, the present one first, and until when (Unix ms; null: it is in use). */
  list(): readonly { readonly key: string; readonly until: number | null }[] {
    return [
      { key: this.publicKey, until: null },
      ...this.#live().map(({ keys, until }) => ({ key: keys.publicKey, until })),
    ];
  }

  /** Public keys (32 bytes) whose signatures are good now. */
  publicKeys(): readonly Uint8Array[] {
    const own = this.pairs().map(({ secretKey }) => secretKey.subarray(32));
    // A relay that was given nothing but the public key of the servers that send clients there.
    const theirs = this.#licenceText !== null && isServerKey(this.#licenceText) ? [Buffer.from(this.#licenceText, 'base64')] : [];
    return [...own, ...theirs];
  }

  /** The id of the present key for somebody who knows the key with `known` (8 bytes); null when it is that one. */
  newerThan(known: Uint8Array): Uint8Array | null {
    const now = keyId(this.publicKey);
    return Buffer.compare(now, known) === 0 ? null : now;
  }

  /** Statements that lead on from the key with this id, in order; none when it is not one of ours any more. */
  statementsFrom(known: Uint8Array): readonly Uint8Array[] {
    const live = this.#live();
    const at = live.findIndex(({ keys }) => Buffer.compare(keyId(keys.publicKey), known) === 0);
    const from = live[at];
    if (!from) return [];
    // The newest is in front: from the known one forward in time. A link that has expired leaves the way incomplete.
    const statements = live.slice(0, at + 1).map(({ statement }) => statement).reverse();
    const end = followKeyStatements(statements, from.keys.secretKey.subarray(32), this.#unixMs() / 1000);
    return end && Buffer.compare(end, this.#current.secretKey.subarray(32)) === 0 ? statements : [];
  }

  /** Calls `listener` after each rotation, until the returned function is called. */
  onRotated(listener: (rotation: Rotation) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /**
   * Makes a new pair, which signs from now on; the old one is accepted for `overlapMs` more. On return both are on disk.
   * @throws LiteDeskError KEY_NOT_OURS when the pair was given as an option, KEY_ROTATION_FAILED when the disk refused
   */
  rotate(overlapMs: number): Rotation {
    if (this.#fixed) throw keyNotOurs();
    const old = this.#current;
    const next = newKeys();
    const now = this.#unixMs();
    const until = now + Math.min(Math.max(0, overlapMs), MAX_OVERLAP_MS);
    const change = {
      oldKey: old.secretKey.slice(32),
      newKey: next.secretKey.slice(32),
      issued: Math.floor(now / 1000),
      expires: Math.floor(until / 1000),
    };
    const entry = { keys: old, until, statement: sealKeyStatement(change, old.secretKey) };
    // No overlap: the old key is not to be trusted, and neither is what it signed.
    const retired = [...(overlapMs > 0 ? [entry] : []), ...(overlapMs > 0 ? this.#live() : [])].slice(0, MAX_RETIRED);
    try {
      // In this order: after a crash in between, the entry of a key that still is the present one is not read.
      this.#writeRetired(retired);
      saveKeys(this.#dataDir, next);
    } catch (cause) {
      throw rotationFailed(this.#dataDir, cause);
    }
    this.#current = next;
    this.#retired = retired;
    const rotation = { oldKey: old.publicKey, newKey: next.publicKey, until };
    for (const listener of this.#listeners) listener(rotation);
    return rotation;
  }

  /** Reads the files again: another process, or the operator, may have put other keys there. @throws LiteDeskError KEY_FILE_BROKEN */
  reload(): void {
    if (this.#fixed) return;
    const current = loadOrCreateKeys(this.#dataDir);
    if (current.publicKey !== this.#current.publicKey) this.#current = current;
    this.#retired = this.#readRetired();
  }

  #live(): readonly RetiredKey[] {
    if (this.#retired.length === 0) return this.#retired;
    const now = this.#unixMs();
    return this.#retired.filter(({ until }) => until > now);
  }

  #readRetired(): RetiredKey[] {
    const path = join(this.#dataDir, RETIRED_FILE);
    if (!existsSync(path)) return [];
    try {
      return retiredSchema.parse(JSON.parse(readFileSync(path, 'utf8'))).keys.flatMap(({ secretKey, until, statement }) => {
        const keys = parseSecretKey(secretKey);
        if (!keys || keys.publicKey === this.#current.publicKey) return [];
        return [{ keys, until, statement: new Uint8Array(Buffer.from(statement, 'base64')) }];
      });
    } catch (cause) {
      throw retiredBroken(path, cause);
    }
  }

  #writeRetired(retired: readonly RetiredKey[]): void {
    const keys = retired.map(({ keys: pair, until, statement }) => ({
      secretKey: Buffer.from(pair.secretKey).toString('base64'),
      until,
      statement: Buffer.from(statement).toString('base64'),
    }));
    replacePrivateFile(join(this.#dataDir, RETIRED_FILE), `${JSON.stringify({ keys }, null, 2)}\n`);
  }
}

function keyNotOurs(): LiteDeskError {
  return new LiteDeskError({
    code: 'KEY_NOT_OURS',
    stage: 'server',
    message: 'The key pair was given with --key, so the server cannot change it.',
    hint: 'Change the option, or start the server with the key pair in its data folder.',
  });
}

function rotationFailed(dataDir: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'KEY_ROTATION_FAILED',
      stage: 'server',
      message: `The new key pair cannot be written to ${dataDir}; the old one stays.`,
      hint: 'Check that the folder is writable and the disk is not full.',
    },
    { cause },
  );
}

function retiredBroken(path: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'KEY_FILE_BROKEN',
      stage: 'server',
      message: `The server's earlier keys cannot be read from ${path}.`,
      hint: 'Restore the file from a backup, or remove it: clients that still have an earlier key then need the new one.',
    },
    { cause },
  );
}
