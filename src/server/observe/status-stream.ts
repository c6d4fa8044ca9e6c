/** The status page's data as server-sent events: a full picture first, then one every few seconds while somebody looks. */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../core/clock.ts';
import type { ServerLimits } from '../limits.ts';

export interface StatusStreamOptions {
  readonly clock: Clock;
  readonly limits: ServerLimits;
  /** What a page gets when it opens, and after each interval. */
  readonly first: () => unknown;
  readonly next: () => unknown;
}

/** Unsent bytes after which a page counts as not reading: some dozen pictures. */
const MAX_UNSENT_BYTES = 1024 * 1024;

export class StatusStream {
  readonly #o: StatusStreamOptions;
  readonly #pages = new Set<ServerResponse>();
  #cancel: (() => void) | undefined;

  constructor(options: StatusStreamOptions) {
    this.#o = options;
  }

  get pages(): number {
    return this.#pages.size;
  }

  /** Takes the response over; false when too many pages are open. */
  open(response: ServerResponse, headers: Readonly<Record<string, string>>): boolean {
    if (this.#pages.size >= this.#o.limits.maxStatusPages) return false;
    response.writeHead(200, {
      ...headers,
      'Content-Type': 'text/event-stream',
      // nginx would hold events back otherwise.
      'X-Accel-Buffering': 'no',
    });
    this.#pages.add(response);
    response.on('close', () => {
      this.#pages.delete(response);
      if (this.#pages.size === 0) this.#rest();
    });
    response.write(event('status', this.#o.first()));
    if (this.#pages.size === 1) this.#schedule();
    return true;
  }

  close(): void {
    this.#rest();
    for (const page of this.#pages) page.destroy();
    this.#pages.clear();
  }

  #rest(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #schedule(): void {
    this.#cancel = this.#o.clock.setTimer(this.#o.limits.statusIntervalMs, () => {
      const text = event('status', this.#o.next());
      for (const page of this.#pages)
        if (page.writableLength > MAX_UNSENT_BYTES) page.destroy();
        else page.write(text);
      this.#schedule();
    });
  }
}

function event(name: string, data: unknown): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}
