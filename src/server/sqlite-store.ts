/** Peers in SQLite, through node:sqlite where the runtime has it. The table is the open server's (rendezvous §1.7). */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { CommitGroup, type PeerRow, type PeerStore } from './peer-store.ts';

const SCHEMA = `
create table if not exists peer (
  guid blob primary key not null, id varchar(100) not null, uuid blob not null, pk blob not null,
  created_at datetime not null default(current_timestamp), user blob, status tinyint, note varchar(300), info text not null
) without rowid;
create unique index if not exists index_peer_id on peer (id);
create index if not exists index_peer_user on peer (user);
create index if not exists index_peer_created_at on peer (created_at);
create index if not exists index_peer_status on peer (status);
`;

type SqliteModule = { DatabaseSync: typeof DatabaseSync };

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
  readonly #put: StatementSync;
  readonly #count: StatementSync;
  readonly #group: CommitGroup;

  /** @throws when the file cannot be opened or is no database */
  constructor(module: SqliteModule, file: string, maxQueuedRows: number) {
    this.#db = new module.DatabaseSync(file);
    // FULL: what was acknowledged must survive a power cut too; the group commit pays for it.
    this.#db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 2000;');
    this.#db.exec(SCHEMA);
    this.#get = this.#db.prepare('select guid, id, uuid, pk, info from peer where id = ?');
    this.#put = this.#db.prepare(
      `insert into peer (guid, id, uuid, pk, info) values (?, ?, ?, ?, ?)
       on conflict (guid) do update set id = excluded.id, pk = excluded.pk, info = excluded.info`,
    );
    this.#count = this.#db.prepare('select count(*) as n from peer');
    this.#group = new CommitGroup(maxQueuedRows, (rows) => this.#commit(rows));
  }

  get(id: string): PeerRow | null {
    const row = this.#get.get(id);
    if (!row) return null;
    return {
      guid: row.guid as Uint8Array,
      id: row.id as string,
      uuid: row.uuid as Uint8Array,
      pk: row.pk as Uint8Array,
      ip: ipOfInfo(row.info),
    };
  }

  save(row: PeerRow, done: (error: Error | null) => void): void {
    this.#group.add(row, done);
  }

  /** Inserts rows whose id is not known yet, in one commit. @throws when the disk refuses */
  importRows(rows: readonly PeerRow[]): void {
    this.#commit(rows.filter((row) => !this.get(row.id)));
  }

  count(): number {
    return Number(this.#count.get()?.n ?? 0);
  }

  close(): void {
    this.#group.flush();
    this.#db.close();
  }

  #commit(rows: readonly PeerRow[]): void {
    this.#db.exec('begin immediate');
    try {
      for (const row of rows) this.#put.run(row.guid, row.id, row.uuid, row.pk, JSON.stringify({ ip: row.ip }));
      this.#db.exec('commit');
    } catch (error) {
      if (this.#db.isTransaction !== false) this.#db.exec('rollback');
      throw error;
    }
  }
}

/** `info` is written by others too; a row whose info cannot be read is still a known id. */
function ipOfInfo(info: unknown): string {
  try {
    const parsed: unknown = JSON.parse(String(info));
    const ip = parsed && typeof parsed === 'object' ? (parsed as { ip?: unknown }).ip : undefined;
    return typeof ip === 'string' ? ip : '';
  } catch {
    return '';
  }
}
