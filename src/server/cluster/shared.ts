/** What this process shares with others, opened as its options say. */
import type { Clock } from '../../core/clock.ts';
import type { ServerLimits } from '../limits.ts';
import type { PeerStore } from '../peer-store.ts';
import type { SharedRows } from './cluster.ts';
import type { Directory } from './directory.ts';
import { RedisDirectory } from './redis-directory.ts';
import { RedisLink } from './redis-link.ts';
import { RedisStore } from './redis-store.ts';
import { parseRedisUrl } from './redis-url.ts';

export interface Shared {
  readonly store: PeerStore;
  readonly rows: SharedRows;
  /** Null: there are no others. */
  readonly directory: Directory | null;
  /** Call after everything that uses it is closed. */
  close(): void;
}

/** ms for one command to Redis, and for the first connection: a compose file starts Redis beside us. */
const COMMAND_MS = 2_000;
const START_MS = 10_000;

/** @throws LiteDeskError USAGE, STORE_UNREACHABLE */
export async function openRedis(
  url: string,
  limits: ServerLimits,
  clock: Clock,
  onLog: (event: string, fields: Record<string, unknown>) => void,
): Promise<Shared> {
  const link = await RedisLink.open({ target: parseRedisUrl(url), clock, commandMs: COMMAND_MS, startMs: START_MS, onLog });
  try {
    const store = new RedisStore(link, limits.maxQueuedRows);
    await store.open();
    return { store, rows: store, directory: new RedisDirectory(link, clock), close: () => link.close() };
  } catch (error) {
    link.close();
    throw error;
  }
}
