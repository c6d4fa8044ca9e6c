import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface JsonEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface WaitOptions {
  /** Default 30 s, which is for a machine that is busy with other things. */
  readonly timeoutMs?: number;
  /** Index in `events` of the first that counts; default 0. */
  readonly from?: number;
  readonly where?: (event: JsonEvent) => boolean;
}

/** What a program says, one JSON object a line of its stdout. */
export class JsonEvents {
  readonly events: JsonEvent[] = [];
  /** Lines that are no JSON. */
  readonly strayLines: string[] = [];
  /** Its exit code, null after a signal; by then everything that it said is in `events`. */
  readonly closed: Promise<number | null>;
  readonly #watchers = new Set<() => void>();
  #ended = false;
  #stderr = '';

  constructor(child: ChildProcess) {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      try {
        this.events.push(JSON.parse(line) as JsonEvent);
      } catch {
        this.strayLines.push(line);
      }
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      child.once('close', (code) => {
        this.#ended = true;
        resolve(code);
        this.#wake();
      });
    });
  }

  /** What came on stderr so far, where that is a pipe. */
  get stderr(): string {
    return this.#stderr;
  }

  /** The first event of that name that fits. Throws with all that the program said when it ends or the time passes without it. */
  async waitFor(event: string, { timeoutMs = 30_000, from = 0, where = () => true }: WaitOptions = {}): Promise<JsonEvent> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = this.events.slice(from).find((candidate) => candidate.event === event && where(candidate));
      if (found !== undefined) return found;
      const leftMs = deadline - performance.now();
      if (this.#ended || leftMs <= 0) {
        const why = this.#ended ? 'the process ended' : `${timeoutMs} ms passed`;
        throw new Error(`no ${event}: ${why}; ${this.said()}`);
      }
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          this.#watchers.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, leftMs);
        this.#watchers.add(wake);
      });
    }
  }

  /** Everything that it said, for the message of a failure. */
  said(): string {
    return `it said ${JSON.stringify(this.events)}\n${this.#stderr}`;
  }

  #wake(): void {
    for (const wake of [...this.#watchers]) wake();
  }
}
