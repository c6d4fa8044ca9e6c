/**
 * What carries a session of ours to another computer: the one connection to a stock peer, or the link over several paths to
 * a native one, which grows by the paths that come through later and is brought back when all are gone.
 */
import { systemClock } from '../core/clock.ts';
import { systemRandom } from '../core/crypto/random.ts';
import type { Link } from '../core/link.ts';
import type { PathChange, PathInfo } from '../core/native/contract.ts';
import type { SessionTicket } from '../core/native/key-schedule.ts';
import { DARK_STRANGER_MS } from '../core/native/multipath-limits.ts';
import { MultipathLink } from '../core/native/multipath.ts';
import type { PeerConnection } from './connect-options.ts';
import type { ConnectionPath } from './race.ts';
import { Roaming } from './roaming.ts';

/** What can be seen of the way that a session takes, while it runs. */
export interface LivePaths {
  /** The way that it takes now. */
  readonly path: ConnectionPath;
  readonly localAddress: string;
  readonly remoteAddress: string;
  /** All that stand; with a stock peer one, without a round trip. */
  readonly paths: readonly PathInfo[];
  /** Both return the function that takes the listener off again. */
  onPathChange(listener: (change: PathChange) => void): () => void;
  /** True: every way is gone or silent, and another one is looked for; what is sent waits. */
  onSearching(listener: (searching: boolean) => void): () => void;
}

/** Asks for another introduction whose paths join the session. */
export type Rejoin = (join: SessionTicket, signal: AbortSignal) => Promise<PeerConnection>;

export class OutgoingLink implements LivePaths {
  /** What the session runs over. */
  readonly link: Link;
  /** The same with its paths; null with a stock peer. */
  readonly multipath: MultipathLink | null;
  readonly ticket: SessionTicket | null;
  readonly roaming: Roaming | null;
  readonly #first: ConnectionPath;

  /** @param rejoin null: nobody can introduce us again. */
  constructor(connection: PeerConnection, rejoin: Rejoin | null) {
    const { link, path, further } = connection;
    this.#first = path;
    if (!link.native) {
      this.link = link;
      this.multipath = null;
      this.ticket = null;
      this.roaming = null;
      return;
    }
    const { sessionId, sessionSecret } = link.native;
    const ticket = { sessionId, sessionSecret };
    const multipath = new MultipathLink({
      clock: systemClock,
      random: systemRandom,
      role: 'controller',
      first: { link, kind: path },
      darkMs: DARK_STRANGER_MS,
    });
    this.link = multipath;
    this.multipath = multipath;
    this.ticket = ticket;
    this.roaming =
      rejoin && new Roaming({ link: multipath, clock: systemClock, connect: (signal) => rejoin(ticket, signal) });
    further?.take((other, kind) => {
      if (other.native?.joined) multipath.addPath(other, kind);
      else other.destroy();
    });
    multipath.onStateChange((state) => {
      if (state === 'closed') further?.stop();
    });
  }

  get path(): ConnectionPath {
    return this.multipath?.paths.find(({ active }) => active)?.kind ?? this.#first;
  }
  get localAddress(): string {
    return this.link.localAddress;
  }
  get remoteAddress(): string {
    return this.link.remoteAddress;
  }
  get paths(): readonly PathInfo[] {
    const { localAddress, remoteAddress } = this;
    return (
      this.multipath?.paths ?? [{ id: 1, kind: this.#first, localAddress, remoteAddress, rttMs: null, active: true }]
    );
  }

  onPathChange(listener: (change: PathChange) => void): () => void {
    return this.multipath?.onPathChange(listener) ?? (() => {});
  }

  onSearching(listener: (searching: boolean) => void): () => void {
    return this.multipath?.onStateChange((state) => listener(state === 'searching')) ?? (() => {});
  }
}
