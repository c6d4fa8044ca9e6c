import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { NatKind } from './nat-kind.ts';
import { LAB_PATH } from './shell.ts';

export interface HostSpawnOptions {
  readonly cwd?: string;
  /** Added to the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** As of child_process; default `pipe` for all three. */
  readonly stdio?: 'pipe' | 'inherit' | 'ignore' | Array<'pipe' | 'inherit' | 'ignore' | number>;
}

export interface FinishedCommand {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One computer of the lab: a network namespace to start processes in. */
export class LabHost {
  readonly name: string;
  readonly namespace: string;
  readonly kind: NatKind;
  /** On its own network. */
  readonly address: string;
  /** What others see: its own address when it stands in the open, else its gateway's. */
  readonly publicAddress: string;
  readonly #running = new Set<ChildProcess>();

  constructor(place: {
    name: string;
    namespace: string;
    kind: NatKind;
    address: string;
    publicAddress: string;
  }) {
    this.name = place.name;
    this.namespace = place.namespace;
    this.kind = place.kind;
    this.address = place.address;
    this.publicAddress = place.publicAddress;
  }

  /** The words that go before a command to run it on this host; it replaces itself, so pid and signals are the command's. */
  get prefix(): readonly string[] {
    return ['nsenter', `--net=/run/netns/${this.namespace}`];
  }

  /** Starts a process on this host, in a process group of its own; the lab ends it at the latest. */
  spawn(command: string, args: readonly string[] = [], options: HostSpawnOptions = {}): ChildProcess {
    const [enter = '', ...rest] = this.prefix;
    const child = spawn(enter, [...rest, command, ...args], {
      cwd: options.cwd,
      env: { ...process.env, PATH: LAB_PATH, ...options.env },
      stdio: options.stdio ?? 'pipe',
      detached: true,
    });
    this.#running.add(child);
    child.once('exit', () => this.#running.delete(child));
    child.once('error', () => this.#running.delete(child));
    return child;
  }

  /** Runs a command on this host to its end, at most `timeoutMs` (default 30 s, then it is killed). */
  async run(
    command: string,
    args: readonly string[] = [],
    options: HostSpawnOptions & { readonly timeoutMs?: number } = {},
  ): Promise<FinishedCommand> {
    const child = this.spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    const limit = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 30_000);
    try {
      const [code] = (await once(child, 'close')) as [number | null];
      return { code, stdout, stderr };
    } finally {
      clearTimeout(limit);
    }
  }

  /** Kills what still runs here, with its children; resolves when it is gone. */
  async killAll(): Promise<void> {
    await Promise.all(
      [...this.#running].map(async (child) => {
        const gone = once(child, 'exit');
        try {
          if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
        } catch {
          return;
        }
        await gone;
      }),
    );
  }
}
