import { type ChildProcess, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { type JsonEvent, JsonEvents, type LabHost } from '../natlab/index.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const COMMAND = join(ROOT, 'out', 'cli', 'litedesk.js');
/** The contract gives a command 2 s to end after a signal; that is for a machine with nothing else to do. */
const STOP_LIMIT_MS = 20_000;

/** Builds the command when it is stale; for the top of a test file. */
export function buildCli(): void {
  const done = spawnSync(process.execPath, [join(ROOT, 'scripts', 'build.mjs'), '--cli-only'], { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`the command does not build: ${done.stderr}`);
}

/** One line of `--json` output. */
export type CliEvent = JsonEvent;

export interface CliResult {
  readonly code: number | null;
  readonly events: readonly CliEvent[];
  readonly stderr: string;
  /** Lines of stdout that are no JSON object; must stay empty with --json. */
  readonly strayLines: readonly string[];
}

/** A `litedesk … --json` process on a host of the lab; the lab ends it at the latest. */
export class CliProcess extends JsonEvents {
  readonly child: ChildProcess;

  constructor(host: LabHost, args: readonly string[], options: { readonly node?: string; readonly env?: Readonly<Record<string, string>> } = {}) {
    const child = host.spawn(options.node ?? process.execPath, [COMMAND, ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { LITEDESK_PASSWORD: '', ...options.env },
    });
    super(child);
    this.child = child;
  }

  /** Waits for the end by itself; kills it and throws after `timeoutMs`. */
  async finished(timeoutMs = 60_000): Promise<CliResult> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.child.kill('SIGKILL');
        reject(new Error(`still running after ${timeoutMs} ms; ${this.said()}`));
      }, timeoutMs);
    });
    try {
      const code = await Promise.race([this.closed, late]);
      return { code, events: this.events, stderr: this.stderr, strayLines: this.strayLines };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends a signal and waits for the end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<CliResult> {
    this.child.kill(signal);
    return this.finished(STOP_LIMIT_MS);
  }
}
