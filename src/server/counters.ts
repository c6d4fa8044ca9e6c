/** Decisions by reason: counted always, and told to whoever listens (logs, histograms). */
import type { Detail, Reason } from './observe/reasons.ts';

export type DecisionListener = (reason: Reason, detail: Detail) => void;

const NO_DETAIL: Detail = {};

export class Counters {
  readonly #counts = new Map<Reason, number>();
  readonly #listeners = new Set<DecisionListener>();

  /** `reason` comes from the code, never from the network, so the map stays small. */
  count(reason: Reason, detail: Detail = NO_DETAIL): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    for (const listener of this.#listeners) listener(reason, detail);
  }

  /** Counts what another process decided; nobody is told. */
  add(reason: Reason, count: number): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + count);
  }

  of(reason: Reason): number {
    return this.#counts.get(reason) ?? 0;
  }

  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }

  /** Tells every decision from now on; the returned function stops it. */
  onDecision(listener: DecisionListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}
