import { type ChildProcess, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LabHost } from '../natlab/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const COMMAND = join(ROOT, 'out', 'cli', 'litedesk.js');

/** Builds the command when it is stale; for the top of a test file. */
export function buildCli(): void {
  const done = spawnSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs'), '--cli-only'], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`the command does not build: ${done.stderr}`);
}

/** One line of `--json` output. */
export interface CliEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface CliResult {
  readonly code: number | null;
  readonly events: readonly CliEvent[];
  readonly stderr: string;
  /** Lines of stdout that are no JSON object; must stay empty with --json. */
  readonly strayLines: readonly string[];
}

/** A `litedesk … --json` process on a host of the lab; the lab ends it at the latest. */
export class CliProcess {
  readonly child: ChildProcess;
  readonly events: CliEvent[] = [];
  readonly strayLines: string[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #closed: Promise<number | null>;
  #ended = false;
  #stderr = '';

  constructor(host: LabHost, args: readonly string[], options: { readonly node?: string; readonly env?: Readonly<Record<string, string>> } = {}) {
    this.child = host.spawn(options.node ?? process.execPath, [COMMAND, ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { LITEDESK_PASSWORD: '', ...options.env },
    });
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      try {
        this.events.push(JSON.parse(line) as CliEvent);
      } catch {
        this.strayLines.push(line);
      }
      this.#wake();
    });
    this.#closed = new Promise((resolve) => {
      this.child.once('close', (code) => {
        this.#ended = true;
        resolve(code);
        this.#wake();
      });
    });
  }

  get stderr(): string {
    return this.#stderr;
  }

  /**
   * The first event of that name from index `from` on, waiting for it at most `timeoutMs`. Throws with all that the
   * process said when it ends or the time passes without it.
   */
  async waitFor(event: string, options: { timeoutMs?: number; from?: number; where?: (event: CliEvent) => boolean } = {}): Promise<CliEvent> {
    const { timeoutMs = 30_000, from = 0, where = () => true } = options;
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = this.events.slice(from).find((candidate) => candidate.event === event && where(candidate));
      if (found !== undefined) return found;
      const leftMs = deadline - Date.now();
      if (this.#ended || leftMs <= 0) {
        const why = this.#ended ? 'the process ended' : `${timeoutMs} ms passed`;
        throw new Error(`no ${event}: ${why}; it said ${JSON.stringify(this.events)}\n${this.#stderr}`);
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

  /** Waits for the end by itself; kills it and throws after `timeoutMs`. */
  async finished(timeoutMs = 60_000): Promise<CliResult> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.child.kill('SIGKILL');
        reject(new Error(`still running after ${timeoutMs} ms; it said ${JSON.stringify(this.events)}\n${this.#stderr}`));
      }, timeoutMs);
    });
    try {
      const code = await Promise.race([this.#closed, late]);
      return { code, events: this.events, stderr: this.#stderr, strayLines: this.strayLines };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends a signal and waits for the end; the contract gives it 2 s, slow machines twice that. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<CliResult> {
    this.child.kill(signal);
    return this.finished(4_000);
  }

  #wake(): void {
    for (const wake of this.#watchers) wake();
  }
}
