/** Starts client.mjs on a host of the lab and follows what it says. */
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LabHost } from '../natlab/index.ts';

const SCRIPT = join(import.meta.dirname, 'client.mjs');
const WAIT_MS = 25_000;

export interface StockEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export class StockClient {
  readonly events: StockEvent[] = [];
  readonly #watchers = new Set<() => void>();
  #stderr = '';

  constructor(host: LabHost, options: Record<string, unknown>, env: Readonly<Record<string, string>> = {}) {
    const child = host.spawn(process.execPath, [SCRIPT, JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'pipe'], env });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.events.push(JSON.parse(line) as StockEvent);
      for (const watcher of this.#watchers) watcher();
    });
  }

  /** The first event of that name that fits; fails with everything said when it does not come. */
  waitFor(event: string, fits: (event: StockEvent) => boolean = () => true): Promise<StockEvent> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.events.find((candidate) => candidate.event === event && fits(candidate));
        if (!found) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(found);
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        reject(new Error(`no ${event} in ${JSON.stringify(this.events)}\n${this.#stderr}`));
      }, WAIT_MS);
      this.#watchers.add(look);
      look();
    });
  }
}
