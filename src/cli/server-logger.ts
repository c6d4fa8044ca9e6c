/** The server's log: one JSON object a line on standard error, for journals and log collectors. */
import type { Writable } from 'node:stream';
import { type Logger, pino } from 'pino';
import type { ServerLog } from '../server/index.ts';

export type LogLevelOption = 'off' | 'warn' | 'info' | 'debug';

export class ServerLogger {
  readonly #pino: Logger;

  constructor(stderr: Writable) {
    this.#pino = pino(
      {
        level: 'info',
        // Process id and host name are what journals add themselves.
        base: null,
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: { level: (label) => ({ level: label }) },
        messageKey: 'message',
      },
      // The stream as it is: lines leave in order, and none is lost when the process ends.
      { write: (line: string) => void stderr.write(line) },
    );
  }

  set level(level: LogLevelOption) {
    this.#pino.level = level === 'off' ? 'silent' : level;
  }

  readonly log: ServerLog = (level, event, fields) => this.#pino[level]({ event, ...fields });
}
