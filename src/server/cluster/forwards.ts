/** Our clients whose requests wait at other nodes, by the number that they have there. */
import type { Clock } from '../../core/clock.ts';
import type { Client } from '../client.ts';
import type { ServerLimits } from '../limits.ts';

export interface Forward {
  readonly ref: number;
  readonly client: Client;
  /** Where requests of it wait. */
  readonly nodes: Set<string>;
  /** Ids asked for and not answered. */
  readonly open: Set<string>;
  lastAt: number;
}

export class Forwards {
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #byRef = new Map<number, Forward>();
  readonly #byClient = new Map<Client, Forward>();
  #nextRef = 1;

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get(ref: number): Forward | undefined {
    return this.#byRef.get(ref);
  }

  has(client: Client): boolean {
    return this.#byClient.has(client);
  }

  /** Notes that a request of the client goes to a node; null when too many wait. */
  enter(client: Client, node: string, id: string): Forward | null {
    let entry = this.#byClient.get(client);
    if (!entry) {
      if (this.#byRef.size >= this.#limits.maxForwardedClients) return null;
      entry = { ref: this.#nextRef++, client, nodes: new Set(), open: new Set(), lastAt: 0 };
      this.#byRef.set(entry.ref, entry);
      this.#byClient.set(client, entry);
    }
    entry.nodes.add(node);
    entry.open.add(id);
    entry.lastAt = this.#clock.now();
    return entry;
  }

  /** One of its questions has an answer. */
  answered(entry: Forward): void {
    const [id] = entry.open;
    if (id !== undefined) entry.open.delete(id);
    if (entry.open.size === 0) this.#forget(entry);
  }

  /** The client is gone; what there was of it. */
  drop(client: Client): Forward | undefined {
    const entry = this.#byClient.get(client);
    if (entry) this.#forget(entry);
    return entry;
  }

  /** Regular upkeep: nobody answers these any more. */
  sweep(): void {
    const now = this.#clock.now();
    for (const entry of this.#byRef.values()) if (now - entry.lastAt > this.#limits.askLifetimeMs) this.#forget(entry);
  }

  #forget(entry: Forward): void {
    this.#byRef.delete(entry.ref);
    this.#byClient.delete(entry.client);
  }
}
