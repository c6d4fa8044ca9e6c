/** What a command prints: lines for people, or one JSON object a line and nothing else (docs/cli.md). */
import { LiteDeskError } from '../core/errors.ts';
import type { ErrorData } from '../core/errors.ts';

export interface CommandIo {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly stdin: NodeJS.ReadableStream;
  readonly env: NodeJS.ProcessEnv;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
}

/** Wrong usage: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export class Output {
  readonly #io: CommandIo;
  readonly #json: boolean;

  constructor(io: CommandIo, json: boolean) {
    this.#io = io;
    this.#json = json;
  }

  /** One event: as JSON, or as the sentence for people. */
  event(event: { event: string } & Record<string, unknown>, text: string): void {
    this.#io.stdout.write(this.#json ? `${JSON.stringify(event)}\n` : `${text}\n`);
  }

  /** A remark that is no event. */
  note(text: string): void {
    this.#io.stderr.write(`${text}\n`);
  }

  /** What a peer has to say on the way; details only with LITEDESK_LOG_LEVEL=debug. */
  readonly log = (line: string, level: 'info' | 'debug' = 'info'): void => {
    if (level === 'info' || this.#io.env['LITEDESK_LOG_LEVEL'] === 'debug') this.note(line);
  };

  /** The failure that ends a command; answers its exit code. */
  failure(error: unknown): number {
    const data = errorData(error);
    this.event({ event: 'error', ...data }, `Error: ${data.message}\n  ${data.hint}\n  (${data.code}, while: ${data.stage})`);
    return 1;
  }
}

function errorData(error: unknown): ErrorData {
  if (error instanceof LiteDeskError) return error.toData();
  return {
    code: 'INTERNAL',
    stage: 'session',
    message: error instanceof Error ? error.message : String(error),
    hint: 'This is a fault of the program; please report it with the output of this command.',
  };
}
