/** What arrived on a probing channel, in order, until somebody takes it. */
import { abortError } from '../errors.ts';

/** A server under test may send whatever it likes; nobody needs more of it. */
const MAX_WAITING = 64;

export class Inbox<T> {
  readonly #items: T[] = [];
  #wake: (() => void) | undefined;
  #ended: Error | null = null;

  push(item: T): void {
    if (this.#items.length < MAX_WAITING) this.#items.push(item);
    this.#wake?.();
  }

  /** Nothing comes any more; who waits gets `why`. */
  end(why: Error): void {
    this.#ended ??= why;
    this.#wake?.();
  }

  get ended(): Error | null {
    return this.#ended;
  }

  /** The next item. Rejects with the reason of the end, or with ABORTED. */
  async next(signal: AbortSignal): Promise<T> {
    for (;;) {
      if (signal.aborted) throw abortError(signal, 'server');
      const item = this.#items.shift();
      if (item !== undefined) return item;
      if (this.#ended) throw this.#ended;
      await new Promise<void>((resolve) => {
        const done = (): void => {
          signal.removeEventListener('abort', done);
          this.#wake = undefined;
          resolve();
        };
        this.#wake = done;
        signal.addEventListener('abort', done, { once: true });
      });
    }
  }
}
