/**
 * Looking up names for others. The system's resolver takes a thread for as long as it waits for an answer, and cannot be stopped:
 * names that nobody answers for must not keep the other peers, nor this program, from looking up theirs.
 */
import { lookup as systemLookup } from 'node:dns/promises';
import { MAX_LOOKUPS, MAX_LOOKUPS_PER_PEER } from './limits.ts';

type Addresses = readonly { readonly address: string }[];
/** All addresses of a name, in the system's order. */
export type Lookup = (host: string, signal: AbortSignal) => Promise<Addresses>;

interface Waiting {
  readonly peer: string;
  readonly start: () => void;
}

export class Lookups {
  readonly #system: (host: string) => Promise<Addresses>;
  readonly #running = new Map<string, number>();
  readonly #waiting = new Set<Waiting>();
  #total = 0;

  constructor(system: (host: string) => Promise<Addresses> = (host) => systemLookup(host, { all: true })) {
    this.#system = system;
  }

  /** For one peer: those beyond its share wait for its own. Rejects with the reason of `signal`, or with the system's error. */
  of(peer: string): Lookup {
    return async (host, signal) => {
      await this.#place(peer, signal);
      try {
        return await this.#system(host);
      } finally {
        this.#free(peer);
      }
    };
  }

  /** Resolves when this peer may look up a name, which counts from then on. */
  #place(peer: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        peer,
        start: () => {
          signal.removeEventListener('abort', onAbort);
          this.#waiting.delete(waiting);
          this.#total++;
          this.#running.set(peer, (this.#running.get(peer) ?? 0) + 1);
          resolve();
        },
      };
      const onAbort = (): void => {
        this.#waiting.delete(waiting);
        reject(signal.reason as Error);
      };
      if (signal.aborted) return onAbort();
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiting);
      this.#next();
    });
  }

  #free(peer: string): void {
    this.#total--;
    const left = (this.#running.get(peer) ?? 1) - 1;
    if (left > 0) this.#running.set(peer, left);
    else this.#running.delete(peer);
    this.#next();
  }

  #next(): void {
    for (const waiting of this.#waiting) {
      if (this.#total >= MAX_LOOKUPS) return;
      if ((this.#running.get(waiting.peer) ?? 0) < MAX_LOOKUPS_PER_PEER) waiting.start();
    }
  }
}
