/**
 * A small typed event source: each event has one payload. `Events` maps event names to payload types.
 * Listeners run synchronously, in the order in which they were added.
 */
export class Emitter<Events extends object> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Adds a listener; the returned function removes it. */
  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void {
    let set = this.#listeners.get(name);
    if (!set) {
      set = new Set();
      this.#listeners.set(name, set);
    }
    const own = set;
    // A wrapper, so that the same function added twice is removed once per removal.
    const entry = (event: Events[K]): void => listener(event);
    own.add(entry);
    return () => own.delete(entry);
  }

  protected emit<K extends keyof Events>(name: K, event: Events[K]): void {
    const set = this.#listeners.get(name);
    if (!set) return;
    for (const listener of [...set]) (listener as (event: Events[K]) => void)(event);
  }
}
