/** Picks the store that the runtime can run. */
import { closeSync, existsSync, openSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { JournalStore, readJournal } from './journal-store.ts';
import type { PeerStore } from './peer-store.ts';
import { type SqliteModule, SqliteStore, sqliteModule } from './sqlite-store.ts';
import { readStockPeers } from './takeover/stock-peers.ts';

/**
 * Opens the peers of `dataDir`: `peers.sqlite3` where the runtime has SQLite, else `peers.journal`. What another runtime
 * left behind is taken over, in both directions.
 * @param database another file than that; the journal stands beside it
 * @throws when the files cannot be opened
 */
export function openPeerStore(
  dataDir: string,
  maxQueuedRows: number,
  module: SqliteModule | null = sqliteModule(),
  database = join(dataDir, 'peers.sqlite3'),
): PeerStore {
  const journal = database.replace(/(\.sqlite3?|\.db)?$/, '.journal');
  if (!module) {
    const isNew = !existsSync(journal);
    const store = new JournalStore(journal, maxQueuedRows);
    if (isNew && existsSync(database)) store.importRows(readStockPeers(database), 'keep');
    return store;
  }
  // The uuids in it are what an id is kept by; SQLite gives its log the same mode.
  closeSync(openSync(database, 'a', 0o600));
  const store = new SqliteStore(module, database, maxQueuedRows);
  if (existsSync(journal)) {
    const last = new Map(readJournal(journal).map((row) => [row.id, row]));
    // It was written later than anything in the database.
    store.importRows([...last.values()], 'replace');
    renameSync(journal, `${journal}.imported`);
  }
  return store;
}
