/** Where registered peers survive a restart. One row per id, as in the open server's database (rendezvous §1.7). */
export interface PeerRow {
  /** 16 bytes, the row's own name (guid.ts). */
  readonly guid: Uint8Array;
  readonly id: string;
  /** The machine uuid, set once and never changed. */
  readonly uuid: Uint8Array;
  /** The device's public key. */
  readonly pk: Uint8Array;
  /** Last known address, plain IPv4 or IPv6 text. */
  readonly ip: string;
  /** The id that this row had until now, which is then nobody's. */
  readonly formerId?: string;
  /** The row is to go. */
  readonly removed?: boolean;
}

export interface PeerStore {
  /** `sqlite` or `journal`; for logs and tests. */
  readonly kind: string;
  /** What is on disk. @throws when the store cannot be read */
  get(id: string): PeerRow | null;
  /**
   * Inserts or replaces the row of `row.guid`. `done` is called once, later: without an error only when the row is on
   * disk. Rows saved while the disk is busy share the next commit.
   */
  save(row: PeerRow, done: (error: Error | null) => void): void;
  /**
   * Inserts many rows at once, before the server serves. Where guid or id is known already, the known row stays or goes.
   * @returns how many were inserted
   * @throws when the disk refuses, and then none is inserted
   */
  importRows?(rows: readonly PeerRow[], known: 'keep' | 'replace'): number;
  /** Some rows in the order of their ids, behind the first `start`; for people. @throws when the store cannot be read */
  list?(start: number, count: number): PeerRow[];
  /** Forgets an id; the outcome is on disk when it resolves. @returns whether it was known. Rejects when the disk refuses */
  remove?(id: string): Promise<boolean>;
  /** Number of rows. */
  count(): number;
  /** Writes what is queued and closes. No call after it. */
  close(): void | Promise<void>;
}
