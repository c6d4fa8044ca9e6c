/** The connections that go through one tunnel at the moment, and what went through it in all. */

export interface ConnectionInfo {
  readonly id: number;
  /** Who connected here, `ip:port`. */
  readonly client: string;
  /** Where it leads, as asked for: `tcp:host:port`. */
  readonly target: string;
  readonly openedAtMs: number;
  /** To and from the peer. */
  readonly bytesOut: number;
  readonly bytesIn: number;
}

export interface Traffic {
  readonly bytesOut: number;
  readonly bytesIn: number;
}

interface Entry {
  readonly client: string;
  readonly target: string;
  readonly openedAtMs: number;
  readonly traffic: () => Traffic;
}

export class Connections {
  readonly #open = new Map<number, Entry>();
  #next = 1;
  #out = 0;
  #in = 0;
  #total = 0;
  #failed = 0;

  get size(): number {
    return this.#open.size;
  }
  /** Connections there ever were, and those of them that were refused or broke. */
  get total(): number {
    return this.#total;
  }
  get failed(): number {
    return this.#failed;
  }

  /** The returned function ends the entry; call it once. */
  add(client: string, target: string, traffic: () => Traffic): (failed: boolean) => void {
    const id = this.#next++;
    this.#total++;
    this.#open.set(id, { client, target, openedAtMs: Date.now(), traffic });
    return (failed) => {
      if (!this.#open.delete(id)) return;
      const { bytesOut, bytesIn } = traffic();
      this.#out += bytesOut;
      this.#in += bytesIn;
      if (failed) this.#failed++;
    };
  }

  list(): ConnectionInfo[] {
    return [...this.#open].map(([id, { traffic, ...entry }]) => ({ id, ...entry, ...traffic() }));
  }

  /** Of all connections, those that are over included. */
  get traffic(): Traffic {
    let bytesOut = this.#out;
    let bytesIn = this.#in;
    for (const entry of this.#open.values()) {
      const traffic = entry.traffic();
      bytesOut += traffic.bytesOut;
      bytesIn += traffic.bytesIn;
    }
    return { bytesOut, bytesIn };
  }
}
