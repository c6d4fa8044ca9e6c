/** Peers in SQLite, through node:sqlite where the runtime has it. The table is the open server's (rendezvous §1.7). */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { CommitGroup } from './commit-group.ts';
import type { PeerRow, PeerStore } from './peer-store.ts';
import { SqliteWriter } from './sqlite-writer.ts';

const SCHEMA = `
create table if not exists peer (
  guid blob primary key not null, id varchar(100) not null, uuid blob not null, pk blob not null,
  created_at datetime not null default(current_timestamp), user blob, status tinyint, note varchar(300), info text not null
) without rowid;
create unique index if not exists index_peer_id on peer (id);
`;
/**
 * FULL: what was acknowledged must survive a power cut too; the group commit pays for it. The checkpoint, which also waits
 * for the disk, comes after 16 MiB of log.
 */
const SETUP = `pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 2000; pragma wal_autocheckpoint = 4000;`;
const INSERT = `insert into peer (guid, id, uuid, pk, info) values (?, ?, ?, ?, ?)
  on conflict (guid) do update set id = excluded.id, pk = excluded.pk, info = excluded.info`;

export type SqliteModule = { DatabaseSync: typeof DatabaseSync };

/** The runtime's SQLite, or null. Asked for at run time, since Node 20 and Electron 33 have none. */
export function sqliteModule(): SqliteModule | null {
  const load = (process as { getBuiltinModule?: (id: string) => unknown }).getBuiltinModule;
  if (!load) return null;
  // Node 24 still warns that the module is experimental, on a stderr that belongs to our user.
  const emitWarning = process.emitWarning;
  process.emitWarning = () => {};
  try {
    return (load.call(process, 'node:sqlite') as SqliteModule | undefined) ?? null;
  } catch {
    return null;
  } finally {
    process.emitWarning = emitWarning;
  }
}

export class SqliteStore implements PeerStore {
  readonly kind = 'sqlite';
  readonly #db: DatabaseSync;
  readonly #get: StatementSync;
  readonly #count: StatementSync;
  readonly #writer: SqliteWriter;
  readonly #group: CommitGroup;

  /** @throws when the file cannot be opened or is no database */
  constructor(module: SqliteModule, file: string, maxQueuedRows: number) {
    this.#db = new module.DatabaseSync(file);
    this.#db.exec(SETUP);
    this.#db.exec(SCHEMA);
    this.#get = this.#db.prepare('select guid, id, uuid, pk, info from peer where id = ?');
    this.#count = this.#db.prepare('select count(*) as n from peer');
    this.#writer = new SqliteWriter(file, SETUP, INSERT);
    this.#group = new CommitGroup(maxQueuedRows, (rows) => this.#writer.commit(rows));
  }

  get(id: string): PeerRow | null {
    const row = this.#get.get(id);
    return row ? rowOf(row) : null;
  }

  list(start: number, count: number): PeerRow[] {
    const rows = this.#db.prepare('select guid, id, uuid, pk, info from peer order by id limit ? offset ?').all(count, start);
    return rows.map(rowOf);
  }

  /** In this thread: an operator does it now and then, and the writer holds the database for milliseconds only. */
  remove(id: string): Promise<boolean> {
    return Promise.resolve().then(() => Number(this.#db.prepare('delete from peer where id = ?').run(id).changes) > 0);
  }

  save(row: PeerRow, done: (error: Error | null) => void): void {
    this.#group.add(row, done);
  }

  importRows(rows: readonly PeerRow[], known: 'keep' | 'replace'): number {
    const insert = this.#db.prepare(
      `insert or ${known === 'keep' ? 'ignore' : 'replace'} into peer (guid, id, uuid, pk, info) values (?, ?, ?, ?, ?)`,
    );
    let changed = 0;
    this.#db.exec('begin immediate');
    try {
      for (const row of rows)
        changed += Number(insert.run(row.guid, row.id, row.uuid, row.pk, JSON.stringify({ ip: row.ip })).changes);
      this.#db.exec('commit');
    } catch (error) {
      if (this.#db.isTransaction !== false) this.#db.exec('rollback');
      throw error;
    }
    return changed;
  }

  count(): number {
    return Number(this.#count.get()?.n ?? 0);
  }

  async close(): Promise<void> {
    await this.#group.idle();
    await this.#writer.close();
    this.#db.close();
  }
}

function rowOf(row: Readonly<Record<string, unknown>>): PeerRow {
  return {
    guid: row.guid as Uint8Array,
    id: row.id as string,
    uuid: row.uuid as Uint8Array,
    pk: row.pk as Uint8Array,
    ip: ipOfInfo(row.info),
  };
}

/** `info` is written by others too; a row whose info cannot be read is still a known id. */
export function ipOfInfo(info: unknown): string {
  try {
    const parsed: unknown = JSON.parse(String(info));
    const ip = parsed && typeof parsed === 'object' ? (parsed as { ip?: unknown }).ip : undefined;
    return typeof ip === 'string' ? ip : '';
  } catch {
    return '';
  }
}
