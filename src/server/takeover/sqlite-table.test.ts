/** The reader beside SQLite itself: what SQLite wrote is what is read, and damaged files end in one kind of error. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sqliteModule } from '../sqlite-store.ts';
import { DatabaseError } from './database-error.ts';
import { SqlitePages } from './sqlite-pages.ts';
import { readTable } from './sqlite-table.ts';

const sqlite = sqliteModule();
let dir: string;
let file: string;
let db: DatabaseSync | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-sqlite-'));
  file = join(dir, 'x.sqlite3');
});
afterEach(() => {
  db?.close();
  db = undefined;
  rmSync(dir, { recursive: true });
});

const rows = (at = file): unknown[] => [...readTable(SqlitePages.open(at), 'peer')];
function create(setup: string): DatabaseSync {
  if (!sqlite) throw new Error('no SQLite here');
  db = new sqlite.DatabaseSync(file);
  db.exec(setup);
  return db;
}
const TABLE = `create table peer (guid blob primary key not null, id varchar(100) not null, uuid blob not null,
  "user" blob, n integer, r real, info text not null default('a,b(c)'), unique (id)) without rowid`;

function fill(to: DatabaseSync, from: number, count: number): void {
  const insert = to.prepare('insert into peer (guid, id, uuid, user, n, r, info) values (?, ?, ?, ?, ?, ?, ?)');
  to.exec('begin');
  for (let i = from; i < from + count; i++) {
    // Keys in no order, lengths across all limits of pages, integers of every size.
    const guid = Buffer.from([(i * 37) & 255, (i >> 3) & 255, i >> 8, i & 255]);
    const n = [0, 1, -1, 127, -40_000, 8_000_000, -2_000_000_000, 2 ** 45, -(2 ** 52)][i % 9] ?? null;
    const text = 'ü'.repeat([0, 3, 20, 150, 700, 9_000][i % 6] ?? 0);
    insert.run(guid, `id-${i}`, Buffer.alloc(i % 40, i), i % 3 ? null : Buffer.from('u'), n, i % 2 ? i / 3 : null, text);
  }
  to.exec('commit');
}
/** The same rows by SQLite, in the order of the key. */
function expected(): unknown[] {
  const all = db?.prepare('select * from peer order by guid').all() ?? [];
  return all.map((row) => ({ ...row }));
}
/** 8-byte integers are bigint in one and number in the other. */
const same = (values: unknown[]): unknown[] =>
  values.map((row) => Object.fromEntries(Object.entries(row as object).map(([k, v]) => [k, typeof v === 'bigint' ? Number(v) : v])));

it.runIf(sqlite).each([512, 1024, 4096, 65_536])('reads what SQLite wrote, with pages of %i bytes', (pageSize) => {
  const open = create(`pragma page_size = ${pageSize}; ${TABLE}`);
  fill(open, 0, 700);
  open.exec("delete from peer where id like 'id-1%'");
  fill(open, 2_000, 100);
  expect(same(rows())).toEqual(expected());
});

it.runIf(sqlite)('reads what is committed in the log and nothing else, and writes nothing', () => {
  const open = create(`pragma journal_mode = wal; pragma wal_autocheckpoint = 0; ${TABLE}`);
  fill(open, 0, 300);
  open.exec('pragma wal_checkpoint(passive)');
  fill(open, 300, 300);
  open.exec('delete from peer where n = 1');
  const before = expected();
  open.exec("begin; insert into peer (guid, id, uuid) values (x'00', 'not committed', x''); pragma cache_spill = 1");
  const content = readFileSync(file);
  const log = readFileSync(`${file}-wal`);
  expect(same(rows())).toEqual(before);
  expect(readFileSync(file).equals(content) && readFileSync(`${file}-wal`).equals(log)).toBe(true);
});

it.runIf(sqlite)('reads a database that is still all in its log, a half written frame included', () => {
  const open = create(`pragma journal_mode = wal; pragma wal_autocheckpoint = 0; ${TABLE}`);
  fill(open, 0, 50);
  const copy = join(dir, 'copy.sqlite3');
  writeFileSync(copy, '');
  const log = readFileSync(`${file}-wal`);
  writeFileSync(`${copy}-wal`, Buffer.concat([log, log.subarray(32, 2_000)]));
  // The first page of the file itself was written when the mode was set.
  copyFileSync(file, copy);
  expect(same(rows(copy))).toEqual(expected());
});

it.runIf(sqlite)('reads a table with rowids as well', () => {
  const open = create(TABLE.replace(') without rowid', ', primary key (guid))').replace(' primary key not null', ' not null'));
  fill(open, 0, 200);
  const byId = (list: unknown[]) => list.toSorted((a, b) => ((a as { id: string }).id < (b as { id: string }).id ? -1 : 1));
  expect(byId(same(rows()))).toEqual(byId(expected()));
});

it('says what is wrong with other files', () => {
  writeFileSync(file, 'no database at all');
  expect(() => rows()).toThrow('it is no SQLite database');
  writeFileSync(file, '');
  expect(() => rows()).toThrow(DatabaseError);
});

it.runIf(sqlite)('says so when the table is missing or a change was broken off', () => {
  create('create table other (a)');
  expect(() => rows()).toThrow('it has no table peer');
  writeFileSync(`${file}-journal`, Buffer.from('d9d505f920a163d700000001', 'hex'));
  expect(() => rows()).toThrow('broken off');
});

it.runIf(sqlite)('ends for every damaged file, with rows or with its own error', () => {
  const open = create(`pragma page_size = 512; ${TABLE}`);
  fill(open, 0, 60);
  const good = readFileSync(file);
  let seed = 7;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 8) % below;
  };
  const bad = join(dir, 'bad.sqlite3');
  for (let i = 0; i < 300; i++) {
    const copy = Buffer.from(good.subarray(0, i % 10 === 0 ? random(good.length) : good.length));
    for (let k = 0; k < 8 && copy.length > 0; k++) copy[random(copy.length)] = random(256);
    writeFileSync(bad, copy);
    try {
      let count = 0;
      for (const _ of readTable(SqlitePages.open(bad), 'peer')) if (++count > 100_000) throw new Error('endless');
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
    }
  }
});
