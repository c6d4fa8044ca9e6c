/** Where a server keeps its rows: a store of its own, one that several share, or what its primary process holds. */
import type { Clock } from '../core/clock.ts';
import { LiteDeskError } from '../core/errors.ts';
import type { Closers } from './closers.ts';
import { openRedis, type Shared } from './cluster/shared.ts';
import { localRows } from './cluster/worker.ts';
import type { ServerOptions } from './contract.ts';
import type { ServerLimits } from './limits.ts';
import { openPeerStore } from './open-store.ts';
import type { PeerStore } from './peer-store.ts';
import { localTarget, sharedTarget, takeOverPeers } from './takeover/stock-peers.ts';

/**
 * The rows, and what is shared with other processes: nothing when `directory` is null.
 * @throws LiteDeskError STORE_BROKEN, and those of Redis
 */
export async function openShared(options: ServerOptions, limits: ServerLimits, clock: Clock, closers: Closers): Promise<Shared> {
  const { storeUrl, log, worker } = options;
  if (storeUrl === undefined) {
    const store = openStore(options, limits);
    closers.add(() => store.close());
    return { store, rows: localRows(store), directory: worker?.directory ?? null, close: () => {} };
  }
  const shared = await openRedis(storeUrl, limits, clock, (event, fields) => log?.('warn', event, fields));
  closers.add(() => shared.close());
  return shared;
}

function openStore({ dataDir, storeFile, store }: ServerOptions, limits: ServerLimits): PeerStore {
  try {
    return store ?? openPeerStore(dataDir, limits.maxQueuedRows, undefined, storeFile);
  } catch (cause) {
    if (cause instanceof LiteDeskError) throw cause;
    throw new LiteDeskError(
      {
        code: 'STORE_BROKEN',
        stage: 'server',
        message: `The list of registered computers in ${storeFile ?? dataDir} cannot be opened.`,
        hint: 'Check that the folder is writable and the disk is not full; peers register again if you remove peers.sqlite3.',
      },
      { cause },
    );
  }
}

/** Takes over the computers of hbbs, where it ran here before. */
export async function takeOver({ storeUrl, dataDir, importDb: file, log }: ServerOptions, { store, rows }: Shared): Promise<void> {
  const target = storeUrl === undefined ? localTarget(store) : sharedTarget(store, (restored) => rows.restore(restored));
  const takeover = target && (await takeOverPeers(target, { dataDir, file }));
  if (takeover) log?.('info', 'computers-taken-over', { ...takeover });
}
