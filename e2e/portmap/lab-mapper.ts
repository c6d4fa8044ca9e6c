import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { ErrorData } from '../../src/core/errors.ts';
import type { MappedProtocol, Mapping, MappingVia, PortMapReport } from '../../src/net/portmap/index.ts';
import { JsonRequests, type LabHost } from '../natlab/index.ts';

interface Line {
  readonly event?: 'changed' | 'lost';
  readonly mapping?: Mapping;
  readonly reason?: string;
  readonly log?: string;
}

/** A PortMapper that runs on a host of the lab, in a process of its own. */
export class LabMapper {
  readonly #child: ChildProcess;
  readonly #requests: JsonRequests;
  readonly #events: Line[] = [];
  #wake = (): void => {};
  /** What it logged. */
  readonly log: string[] = [];

  constructor(host: LabHost, stateFile: string, protocols: readonly MappingVia[] = [], leaseS?: number, family: 4 | 6 = 4) {
    this.#child = host.spawn(process.execPath, [join(import.meta.dirname, 'mapper-process.ts'), stateFile, protocols.join(','), leaseS === undefined ? '' : String(leaseS), String(family)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#requests = new JsonRequests(this.#child, (other) => {
      const line = other as Line;
      if (line.log !== undefined) {
        this.log.push(line.log);
        return;
      }
      this.#events.push(line);
      this.#wake();
    });
  }

  map(protocol: MappedProtocol, port: number): Promise<Mapping> {
    return this.#requests.ask('map', { protocol, port }) as Promise<Mapping>;
  }

  /** The error that a mapping ends with. */
  async refusal(protocol: MappedProtocol, port: number): Promise<ErrorData> {
    return this.map(protocol, port).then(
      () => Promise.reject(new Error('the port was opened')),
      (error: ErrorData) => error,
    );
  }

  async unmap(protocol: MappedProtocol, port: number): Promise<void> {
    await this.#requests.ask('unmap', { protocol, port });
  }

  report(): Promise<PortMapReport> {
    return this.#requests.ask('report') as Promise<PortMapReport>;
  }

  probe(): Promise<PortMapReport> {
    return this.#requests.ask('probe') as Promise<PortMapReport>;
  }

  async networkChanged(): Promise<void> {
    await this.#requests.ask('networkChanged');
  }

  async removeLeftovers(): Promise<void> {
    await this.#requests.ask('removeLeftovers');
  }

  async stop(): Promise<void> {
    await this.#requests.ask('stop');
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
}
