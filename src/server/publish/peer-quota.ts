/** What all services of one computer may use together. */
import type { Clock } from '../../core/clock.ts';
import { OpenLimiter } from '../../core/mux/open-limiter.ts';
import { Bandwidth } from '../bandwidth.ts';
import type { ServerLimits } from '../limits.ts';

export class PeerQuota {
  readonly id: string;
  readonly bandwidth: Bandwidth;
  /** Connections to the server, and services on all of them. */
  publishers = 0;
  services = 0;
  /** From outside. */
  #connections = 0;
  readonly #opens: OpenLimiter;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;

  constructor(id: string, limits: ServerLimits, clock: Clock) {
    this.id = id;
    this.#limits = limits;
    this.#clock = clock;
    this.bandwidth = new Bandwidth(limits.publishedPeerBps, clock);
    const perSecond = limits.publishedOpensPerSecond;
    this.#opens = new OpenLimiter(clock.now(), { openBurst: 2 * perSecond, opensPerSecond: perSecond });
  }

  /** A place for one more connection from outside; give it back with `leave`. */
  enter(): boolean {
    if (this.#connections >= this.#limits.maxPublishedPerPeer) return false;
    if (this.#opens.open(this.#clock.now()) !== 'take') return false;
    this.#connections++;
    return true;
  }

  leave(): void {
    this.#connections--;
  }
}
