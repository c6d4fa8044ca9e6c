/** Where registered peers survive a restart. One row per id, as in the open server's database (rendezvous §1.7). */
export interface PeerRow {
  /** 16 random bytes, the row's own name. */
  readonly guid: Uint8Array;
  readonly id: string;
  /** The machine uuid, set once and never changed. */
  readonly uuid: Uint8Array;
  /** The device's public key. */
  readonly pk: Uint8Array;
  /** Last known address, plain IPv4 or IPv6 text. */
  readonly ip: string;
}

export interface PeerStore {
  /** `sqlite` or `journal`; for logs and tests. */
  readonly kind: string;
  /** @throws when the store cannot be read */
  get(id: string): PeerRow | null;
  /**
   * Inserts or replaces the row of `row.guid`. `done` is called once, later: without an error only when the row is on
   * disk. Rows saved in one turn of the event loop share one commit.
   */
  save(row: PeerRow, done: (error: Error | null) => void): void;
  /** Number of rows. */
  count(): number;
  /** Writes what is queued and closes. No call after it. */
  close(): void;
}

/** Rows that were saved in this turn of the event loop, committed together in the next. */
export class CommitGroup {
  #queue: { row: PeerRow; done: (error: Error | null) => void }[] = [];
  #scheduled: NodeJS.Immediate | undefined;
  readonly #commit: (rows: readonly PeerRow[]) => void;
  readonly #limit: number;

  constructor(limit: number, commit: (rows: readonly PeerRow[]) => void) {
    this.#limit = limit;
    this.#commit = commit;
  }

  add(row: PeerRow, done: (error: Error | null) => void): void {
    if (this.#queue.length >= this.#limit) {
      done(new Error('too many registrations wait for the disk'));
      return;
    }
    this.#queue.push({ row, done });
    this.#scheduled ??= setImmediate(() => this.flush());
  }

  /** Commits now. Every `done` gets the outcome of the whole group: a group is on disk as a whole or not at all. */
  flush(): void {
    if (this.#scheduled) clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#queue = [];
    let failure: Error | null = null;
    try {
      this.#commit(queue.map((entry) => entry.row));
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    for (const entry of queue) entry.done(failure);
  }
}
