/**
 * While a session of others with this computer has no path, its controller looks for us at the server. That may have started anew and
 * not know us before our next heartbeat, up to 15 s later: so it is told at once, and again until the session goes on.
 */
import type { Clock } from '../core/clock.ts';
import type { LinkState } from '../core/native/contract.ts';

/** Between two messages: at first, and what that grows to, by half of the time that has passed. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;

export interface WatchedLink {
  onStateChange(listener: (state: LinkState) => void): () => void;
}

/** Calls `register` while the link looks for a path; ends with the link. */
export function stayRegistered(link: WatchedLink, clock: Clock, register: () => void): void {
  let cancel = (): void => {};
  link.onStateChange((state) => {
    cancel();
    if (state !== 'searching') return;
    const since = clock.now();
    const again = (): void => {
      register();
      const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, (clock.now() - since) / 2));
      cancel = clock.setTimer(pauseMs, again);
    };
    again();
  });
}
