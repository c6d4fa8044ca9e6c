import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

interface Answer {
  readonly serial?: number;
  readonly value?: unknown;
  readonly error?: unknown;
}

/**
 * Requests to a program: a line of JSON `{serial, command, …}` on its stdin, answered by `{serial, value}` or `{serial, error}`
 * on its stdout, in any order. Lines without a serial go to `onOther`.
 */
export class JsonRequests {
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  #serial = 0;
  #ended = false;

  constructor(child: ChildProcess, onOther: (line: unknown) => void = () => {}) {
    this.#child = child;
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const answer = JSON.parse(line) as Answer;
      if (answer.serial === undefined) {
        onOther(answer);
        return;
      }
      const waiting = this.#pending.get(answer.serial);
      this.#pending.delete(answer.serial);
      if (answer.error === undefined) waiting?.resolve(answer.value);
      else waiting?.reject(typeof answer.error === 'string' ? new Error(answer.error) : answer.error);
    });
    // Its end is told to who asked; a pipe that breaks with it says no more.
    child.stdin?.on('error', () => {});
    child.once('close', () => {
      this.#ended = true;
      for (const { reject } of this.#pending.values()) reject(new Error('the program ended'));
      this.#pending.clear();
    });
  }

  /** Resolves with the answer's value; rejects with its error, or when the program ends first. */
  ask(command: string, args: object = {}): Promise<unknown> {
    if (this.#ended) return Promise.reject(new Error('the program ended'));
    const serial = ++this.#serial;
    return new Promise((resolve, reject) => {
      this.#pending.set(serial, { resolve, reject });
      this.#child.stdin?.write(`${JSON.stringify({ serial, command, ...args })}\n`);
    });
  }
}
