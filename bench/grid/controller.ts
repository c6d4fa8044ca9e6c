import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { LabHost } from '../../e2e/natlab/index.ts';
import type { CellResult } from './contract.ts';

/** A process on a host of the lab that connects to others, one after the other or at once. */
export class GridController {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (result: CellResult) => void>();
  #serial = 0;

  constructor(host: LabHost, dataDir: string, server: string, key: string) {
    const script = join(import.meta.dirname, 'controller-process.ts');
    this.#child = host.spawn(process.execPath, ['--no-warnings', script, dataDir, server, key], { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const { serial, result } = JSON.parse(line) as { serial: number; result: CellResult };
      this.#waiting.get(serial)?.(result);
      this.#waiting.delete(serial);
    });
    this.#child.once('exit', () => {
      for (const done of this.#waiting.values()) done({ connected: false, reason: 'the process ended' });
      this.#waiting.clear();
    });
  }

  connect(id: string, password: string): Promise<CellResult> {
    this.#serial += 1;
    const serial = this.#serial;
    return new Promise((resolve) => {
      this.#waiting.set(serial, resolve);
      this.#child.stdin?.write(`${JSON.stringify({ serial, id, password })}\n`);
    });
  }
}
