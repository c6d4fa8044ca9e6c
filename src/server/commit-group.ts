/**
 * Group commit: one wait for the disk for all rows that came while the previous one was under way. The slower the disk,
 * the larger the groups, so that the rate of registrations does not hang on the time of a single commit.
 */
import type { PeerRow } from './peer-store.ts';

interface Entry {
  readonly row: PeerRow;
  readonly done: (error: Error | null) => void;
}

export class CommitGroup {
  readonly #commit: (rows: readonly PeerRow[]) => Promise<void>;
  readonly #maxQueued: number;
  #queue: Entry[] = [];
  #running: Promise<void> | null = null;

  /** @param commit puts rows on disk, all or none of them; never called while a call is under way */
  constructor(maxQueued: number, commit: (rows: readonly PeerRow[]) => Promise<void>) {
    this.#maxQueued = maxQueued;
    this.#commit = commit;
  }

  /** `done` gets the outcome of the row's whole group. */
  add(row: PeerRow, done: (error: Error | null) => void): void {
    if (this.#queue.length >= this.#maxQueued) return done(new Error('too many registrations wait for the disk'));
    this.#queue.push({ row, done });
    this.#running ??= this.#run();
  }

  /** Resolves once nothing waits. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #run(): Promise<void> {
    // What else this turn of the event loop reads from the sockets belongs to the first group already.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0) {
      const group = this.#queue;
      this.#queue = [];
      let failure: Error | null = null;
      try {
        await this.#commit(group.map((entry) => entry.row));
      } catch (error) {
        failure = error instanceof Error ? error : new Error(String(error));
      }
      for (const entry of group) entry.done(failure);
    }
    this.#running = null;
  }
}
