/** Who may connect at all: counts connections over all ports of the server, in all and by address. */
import type { Counters } from './counters.ts';
import type { ServerLimits } from './limits.ts';
import type { Reason } from './observe/reasons.ts';

export class Admission {
  readonly #limits: ServerLimits;
  readonly #byAddress = new Map<string, number>();
  readonly #counters: Counters | undefined;
  #total = 0;

  constructor(limits: ServerLimits, counters?: Counters) {
    this.#limits = limits;
    this.#counters = counters;
  }

  get total(): number {
    return this.#total;
  }

  /** Takes a place for a connection from `host`; the returned function gives it back. Null: full. */
  enter(host: string): (() => void) | null {
    const own = this.#byAddress.get(host) ?? 0;
    if (this.#total >= this.#limits.maxConnections) return this.#refuse('connection-full', host);
    if (own >= this.#limits.maxConnectionsPerAddress) return this.#refuse('connection-full-address', host);
    this.#total++;
    this.#byAddress.set(host, own + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#total--;
      const now = (this.#byAddress.get(host) ?? 1) - 1;
      if (now > 0) this.#byAddress.set(host, now);
      else this.#byAddress.delete(host);
    };
  }

  #refuse(reason: Reason, from: string): null {
    this.#counters?.count(reason, { from });
    return null;
  }
}
