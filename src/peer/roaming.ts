/**
 * Brings a native session of ours back when all its paths are gone: asks the server for another introduction, again and
 * again, until a path has joined the session or the session has ended.
 */
import type { Clock } from '../core/clock.ts';
import { LiteDeskError } from '../core/errors.ts';
import type { MultipathLink } from '../core/native/multipath.ts';
import type { SecuredLink } from '../net/index.ts';
import type { PeerConnection } from './connect-options.ts';
import type { ConnectionPath } from './race.ts';

/**
 * A try begins so often while the session has no path, whether the last one has ended or not: in a network that drops
 * everything each of them hangs, and the first that finds the network back should not be far away.
 */
const TRY_EVERY_MS = 400;
/** Tries at once; each holds two or three sockets. */
const MAX_TRIES = 4;
/** A try that has found nothing by then stands in the way of a fresh one. */
const TRY_TIMEOUT_MS = 4_000;
/** Refusals in a row after which the session is over at the other end: it was started anew, say. */
const MAX_REFUSALS = 3;

/** How a host that does not know the session (any more) shows. */
const REFUSED: ReadonlySet<string> = new Set(['HANDSHAKE_PEER_CLOSED', 'HANDSHAKE_JOIN_REFUSED']);

export interface RoamingOptions {
  readonly link: MultipathLink;
  readonly clock: Clock;
  /** One introduction whose paths join the session. */
  readonly connect: (signal: AbortSignal) => Promise<PeerConnection>;
}

export class Roaming {
  readonly #options: RoamingOptions;
  readonly #abort = new AbortController();
  readonly #tries = new Set<AbortController>();
  #cancelNext: (() => void) | null = null;
  #refusals = 0;

  constructor(options: RoamingOptions) {
    this.#options = options;
    options.link.onStateChange((state) => {
      if (state === 'closed') this.close();
      else if (state === 'live') this.#rest();
      else this.#go();
    });
  }

  /** A network of this computer changed: the paths over the old one may be gone without a word. */
  networkChanged(): void {
    if (!this.#abort.signal.aborted && this.#tries.size < MAX_TRIES) void this.#try();
  }

  close(): void {
    this.#cancelNext?.();
    this.#cancelNext = null;
    this.#abort.abort();
    for (const one of this.#tries) one.abort();
  }

  #rest(): void {
    this.#cancelNext?.();
    this.#cancelNext = null;
    this.#refusals = 0;
  }

  #go(): void {
    if (this.#abort.signal.aborted || this.#cancelNext) return;
    if (this.#tries.size < MAX_TRIES) void this.#try();
    this.#cancelNext = this.#options.clock.setTimer(TRY_EVERY_MS, () => {
      this.#cancelNext = null;
      this.#go();
    });
  }

  async #try(): Promise<void> {
    const one = new AbortController();
    this.#tries.add(one);
    const cancelTimeout = this.#options.clock.setTimer(TRY_TIMEOUT_MS, () => one.abort());
    try {
      const { link, path, further } = await this.#options.connect(one.signal);
      cancelTimeout();
      this.#add(link, path);
      further?.take((other, kind) => this.#add(other, kind));
      this.#abort.signal.addEventListener('abort', () => further?.stop(), { once: true });
    } catch (error) {
      if (error instanceof LiteDeskError && REFUSED.has(error.code) && !one.signal.aborted) this.#refused(error);
    } finally {
      cancelTimeout();
      this.#tries.delete(one);
    }
  }

  #add(link: SecuredLink, path: ConnectionPath): void {
    if (link.native?.joined) this.#options.link.addPath(link, path);
    else link.destroy();
  }

  #refused(error: LiteDeskError): void {
    this.#refusals++;
    if (this.#refusals >= MAX_REFUSALS && this.#options.link.state === 'searching') this.#options.link.destroy(error);
  }
}
