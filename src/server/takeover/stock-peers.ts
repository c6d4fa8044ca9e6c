/**
 * Takes over the computers of hbbs from its `db_v2.sqlite3` (rendezvous §1.7). The file is only read. At each start what is
 * new in it is added, so that one may go back to hbbs and return; what we know already stays as we know it.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LiteDeskError } from '../../core/errors.ts';
import type { PeerRow, PeerStore } from '../peer-store.ts';
import { ipOfInfo } from '../sqlite-store.ts';
import { DatabaseError } from './database-error.ts';
import { fingerprint, SqlitePages } from './sqlite-pages.ts';
import { readTable, type SqliteValue } from './sqlite-table.ts';

const STOCK_FILE = 'db_v2.sqlite3';
/** Says what was taken over last, so that computers that were removed since do not come back. */
const MARKER = 'db_v2.taken-over.json';

export interface TakeoverOptions {
  readonly dataDir: string;
  /** Another database than the one in dataDir; relative to the working directory, or to dataDir. */
  readonly file?: string | undefined;
}

export interface Takeover {
  readonly file: string;
  /** Rows in it. */
  readonly found: number;
  /** Of these, taken over now. */
  readonly added: number;
}

/** Where rows can be added: a store of this computer, or one that nodes share. */
export interface TakeoverTarget {
  readonly isEmpty: boolean;
  /** Adds what is not known yet. @returns how many, as far as it can tell */
  add(rows: readonly PeerRow[]): number | Promise<number>;
}

/** Rows that go to a shared store at a time. */
const SLICE = 1_000;

/** What takes rows over in a local store; null when it cannot. */
export function localTarget(store: PeerStore): TakeoverTarget | null {
  return store.importRows ? { isEmpty: store.count() === 0, add: (rows) => store.importRows?.(rows, 'keep') ?? 0 } : null;
}

/** @param restore adds the rows whose ids nobody has */
export function sharedTarget(store: PeerStore, restore: (rows: readonly PeerRow[]) => Promise<void>): TakeoverTarget {
  const add = async (rows: readonly PeerRow[]): Promise<number> => {
    for (let at = 0; at < rows.length; at += SLICE) await restore(rows.slice(at, at + SLICE));
    return rows.length;
  };
  return { isEmpty: store.count() === 0, add };
}

/**
 * Adds to the store what it does not know yet.
 * @returns null when there is no such database, or it has not changed since the last time
 * @throws LiteDeskError HBBS_DATABASE_UNREADABLE, or the error of the store
 */
export async function takeOverPeers(target: TakeoverTarget, { dataDir, file }: TakeoverOptions): Promise<Takeover | null> {
  const path = stockFile(dataDir, file);
  if (path === null) return null;
  const marker = join(dataDir, MARKER);
  const state = JSON.stringify({ file: path, state: fingerprint(path) });
  if (!target.isEmpty && readIfThere(marker) === state) return null;
  const rows = readStockPeers(path);
  const added = await target.add(rows);
  writeFileSync(marker, state, { mode: 0o600 });
  return { file: path, found: rows.length, added };
}

/** The rows of a database in the layout of hbbs, ours included. @throws LiteDeskError HBBS_DATABASE_UNREADABLE */
export function readStockPeers(file: string): PeerRow[] {
  try {
    const rows: PeerRow[] = [];
    for (const { guid, id, uuid, pk, info } of readTable(SqlitePages.open(file), 'peer')) {
      const row = { guid: bytes(guid), id: String(id ?? ''), uuid: bytes(uuid), pk: bytes(pk), ip: ipOfInfo(info) };
      if (row.id !== '' && row.guid.length > 0) rows.push(row);
    }
    return rows;
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function stockFile(dataDir: string, file: string | undefined): string | null {
  const candidates = file === undefined ? [join(dataDir, STOCK_FILE)] : [resolve(file), resolve(dataDir, file)];
  return candidates.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile()) ?? null;
}

function bytes(value: SqliteValue | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  return typeof value === 'string' ? new Uint8Array(Buffer.from(value)) : new Uint8Array(0);
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

function unreadable(file: string, cause: unknown): LiteDeskError {
  const reason = cause instanceof DatabaseError || cause instanceof Error ? cause.message : String(cause);
  return new LiteDeskError(
    {
      code: 'HBBS_DATABASE_UNREADABLE',
      stage: 'server',
      message: `The computers in ${file} cannot be taken over: ${reason}.`,
      hint: 'Stop hbbs and start this again; if it stays so, check the file with sqlite3, or move it away to start without its computers (they register again by themselves).',
    },
    { cause },
  );
}
