/** Processes of the server's measurements: each is a file of its own and answers calls over Node's IPC channel. */
import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

interface Call {
  readonly seq: number;
  readonly name: string;
  readonly argument: unknown;
}
interface Reply {
  readonly seq: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** What a process has used so far. */
export interface Usage {
  /** Processor time, µs, all threads. */
  readonly cpuUs: number;
  readonly rssBytes: number;
}

export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Error) => void }>();
  #seq = 0;

  /** Starts `bench/server/<file>`. */
  constructor(file: string) {
    this.#process = fork(join(import.meta.dirname, file), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process.on('message', (message) => {
      const { seq, value, error } = message as Reply;
      const waiting = this.#waiting.get(seq);
      this.#waiting.delete(seq);
      if (error === undefined) waiting?.resolve(value as never);
      else waiting?.reject(new Error(error));
    });
    this.#process.on('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${file} ended (${signal ?? code})`));
    });
  }

  /** Calls a function of the process. @throws what it throws, or when the process ends first */
  call<T>(name: string, argument: unknown = null): Promise<T> {
    const seq = ++this.#seq;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(seq, { resolve, reject });
      this.#process.send({ seq, name, argument } satisfies Call);
    });
  }

  usage(): Promise<Usage> {
    return this.call('usage');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill('SIGKILL');
    await ended;
  }
}

/** The other side: answers calls with these functions, for the life of the process. */
export function answerCalls(functions: Readonly<Record<string, (argument: never) => unknown>>): void {
  const usage = (): Usage => {
    const { user, system } = process.cpuUsage();
    return { cpuUs: user + system, rssBytes: process.memoryUsage.rss() };
  };
  process.on('message', (message) => {
    const { seq, name, argument } = message as Call;
    const reply = (answer: Omit<Reply, 'seq'>): void => void process.send?.({ seq, ...answer });
    Promise.resolve()
      .then(() => (name === 'usage' ? usage() : functions[name]?.(argument as never)))
      .then((value) => reply({ value }))
      .catch((error: unknown) => reply({ error: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) }));
  });
  // The parent that goes takes its measurement with it.
  process.on('disconnect', () => process.exit(0));
}
