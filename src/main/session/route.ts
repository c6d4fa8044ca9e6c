/** What a session's connection tells about its way, for its window. */
import type { PathChange } from '../../core/native/contract.ts';
import type { Connected } from '../../peer/peer.ts';
import { MAX_ROUTE_ENTRIES, type SessionRoute } from '../../shared/route.ts';

export class RouteLog {
  #connection: Pick<Connected, 'path' | 'paths' | 'attempts' | 'encrypted'> | null = null;
  #changes: SessionRoute['changes'] = [];

  /** Another connection is in use; the changes of those before are kept. */
  use(connection: NonNullable<RouteLog['connection']>): void {
    this.#connection = connection;
  }

  get connection(): Pick<Connected, 'path' | 'paths' | 'attempts' | 'encrypted'> | null {
    return this.#connection;
  }

  /** @param nowMs since 1970. */
  moved({ from, to, pauseMs, reason }: PathChange, nowMs: number): void {
    this.#changes = [...this.#changes, { atMs: nowMs, from, to, pauseMs, reason }].slice(-MAX_ROUTE_ENTRIES);
  }

  /** Null before the first connection. */
  get route(): SessionRoute | null {
    const connection = this.#connection;
    if (!connection) return null;
    const { path, paths, attempts, encrypted } = connection;
    return {
      path,
      encrypted,
      paths: paths.map(({ id, kind, active, rttMs, localAddress, remoteAddress }) => ({ id, kind, active, rttMs, localAddress, remoteAddress })),
      attempts: attempts.slice(-MAX_ROUTE_ENTRIES).map(({ path: tried, outcome, ms, reason }) => ({ path: tried, outcome, ms, reason })),
      changes: this.#changes,
    };
  }
}
