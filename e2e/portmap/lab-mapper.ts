import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ErrorData } from '../../src/core/errors.ts';
import type { MappedProtocol, Mapping, MappingVia, PortMapReport } from '../../src/net/portmap/index.ts';
import type { LabHost } from '../natlab/index.ts';

interface Line {
  readonly serial?: number;
  readonly value?: unknown;
  readonly error?: unknown;
  readonly event?: 'changed' | 'lost';
  readonly mapping?: Mapping;
  readonly reason?: string;
  readonly log?: string;
}

/** A PortMapper that runs on a host of the lab, in a process of its own. */
export class LabMapper {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  readonly #events: Line[] = [];
  #wake = (): void => {};
  #serial = 0;
  /** What it logged. */
  readonly log: string[] = [];

  constructor(host: LabHost, stateFile: string, protocols: readonly MappingVia[] = [], leaseS?: number) {
    this.#child = host.spawn(process.execPath, [join(import.meta.dirname, 'mapper-process.ts'), stateFile, protocols.join(','), leaseS === undefined ? '' : String(leaseS)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (text) => {
      const line = JSON.parse(text) as Line;
      if (line.log !== undefined) this.log.push(line.log);
      else if (line.serial === undefined) {
        this.#events.push(line);
        this.#wake();
      } else {
        const waiting = this.#pending.get(line.serial);
        if (line.error === undefined) waiting?.resolve(line.value);
        else waiting?.reject(line.error);
      }
    });
  }

  map(protocol: MappedProtocol, port: number): Promise<Mapping> {
    return this.#ask('map', { protocol, port }) as Promise<Mapping>;
  }

  /** The error that a mapping ends with. */
  async refusal(protocol: MappedProtocol, port: number): Promise<ErrorData> {
    return this.map(protocol, port).then(
      () => Promise.reject(new Error('the port was opened')),
      (error: ErrorData) => error,
    );
  }

  async unmap(protocol: MappedProtocol, port: number): Promise<void> {
    await this.#ask('unmap', { protocol, port });
  }

  report(): Promise<PortMapReport> {
    return this.#ask('report') as Promise<PortMapReport>;
  }

  probe(): Promise<PortMapReport> {
    return this.#ask('probe') as Promise<PortMapReport>;
  }

  async networkChanged(): Promise<void> {
    await this.#ask('networkChanged');
  }

  async removeLeftovers(): Promise<void> {
    await this.#ask('removeLeftovers');
  }

  async stop(): Promise<void> {
    await this.#ask('stop');
  }

  /** Ends it as a crash does. */
  async crash(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  /** The next event of that name; those before it are dropped. */
  async next(event: 'changed' | 'lost'): Promise<Line> {
    for (;;) {
      const line = this.#events.shift();
      if (line?.event === event) return line;
      if (line === undefined) await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #ask(command: string, args: object = {}): Promise<unknown> {
    const serial = ++this.#serial;
    return new Promise((resolve, reject) => {
      this.#pending.set(serial, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ serial, command, ...args })}\n`);
    });
  }
}
