import type { Listener } from './listener.ts';

type Close = () => void | Promise<void>;

/** What a server has opened so far, for its end, and for a start that fails half-way. */
export class Closers {
  readonly #closers: Close[] = [];

  add(close: Close): void {
    this.#closers.push(close);
  }

  async own(opening: Promise<Listener>): Promise<Listener> {
    const listener = await opening;
    this.add(() => listener.close());
    return listener;
  }

  /** In reverse order: connections before the store that their last words may need. */
  async closeAll(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
  }
}
