/** Counts decisions by reason; the hot path does nothing else about them. */
export class Counters {
  readonly #counts = new Map<string, number>();

  /** `reason` comes from the code, never from the network, so the map stays small. */
  count(reason: string): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
  }

  snapshot(): Record<string, number> {
    return Object.fromEntries(this.#counts);
  }
}
