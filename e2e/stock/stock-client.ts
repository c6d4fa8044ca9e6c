import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { JsonEvents, type LabHost } from '../natlab/index.ts';

const SCRIPT = join(import.meta.dirname, 'client.mjs');

/** client.mjs on a host of the lab. */
export class StockClient extends JsonEvents {
  readonly #child: ChildProcess;

  constructor(host: LabHost, options: Record<string, unknown>, env: Readonly<Record<string, string>> = {}) {
    const child = host.spawn(process.execPath, [SCRIPT, JSON.stringify(options)], { stdio: 'pipe', env });
    super(child);
    this.#child = child;
  }

  /** Lets a controlled side send its next heartbeat now, not 15 s after the last one. */
  heartbeat(): void {
    this.#child.stdin?.write('heartbeat\n');
  }
}
