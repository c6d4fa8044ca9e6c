/** Picks the store that the runtime can run. */
import { existsSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { JournalStore, readJournal } from './journal-store.ts';
import type { PeerStore } from './peer-store.ts';
import { SqliteStore, sqliteModule } from './sqlite-store.ts';

/**
 * Opens the peers of `dataDir`: `peers.sqlite3` where the runtime has SQLite, else `peers.journal`. A journal that another
 * runtime left behind is taken over.
 * @throws when the files cannot be opened
 */
export function openPeerStore(dataDir: string, maxQueuedRows: number, module = sqliteModule()): PeerStore {
  const journal = join(dataDir, 'peers.journal');
  if (!module) return new JournalStore(journal, maxQueuedRows);
  const store = new SqliteStore(module, join(dataDir, 'peers.sqlite3'), maxQueuedRows);
  if (existsSync(journal)) {
    const last = new Map(readJournal(journal).map((row) => [row.id, row]));
    store.importRows([...last.values()]);
    renameSync(journal, `${journal}.imported`);
  }
  return store;
}
