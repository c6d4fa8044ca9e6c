/** Options that all peer commands share (docs/cli.md). */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { PATH_CHOICES } from '../peer/connect-options.ts';
import type { PathChoice } from '../peer/connect-options.ts';
import { parseServer } from '../peer/server-address.ts';
import type { ServerAddress } from '../peer/server-address.ts';
import { UsageError } from './output.ts';
import type { CommandIo } from './output.ts';

/** A password longer than this was surely not meant. */
const MAX_PASSWORD_BYTES = 1024;

/** Options in the form that node:util parseArgs takes. */
export const COMMON_OPTIONS = {
  data: { type: 'string' },
  json: { type: 'boolean' },
  server: { type: 'string' },
  key: { type: 'string' },
  password: { type: 'string' },
  'password-stdin': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Where identity, settings and keys live when --data is not given. */
export function defaultDataDir(env: NodeJS.ProcessEnv): string {
  if (env.LITEDESK_DATA) return env.LITEDESK_DATA;
  if (process.platform === 'win32' && env.APPDATA) return join(env.APPDATA, 'LiteDesk');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'LiteDesk');
  return join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'litedesk');
}

/**
 * Reads `--server` (address, `tls://` address or invitation line) and `--key`, else LITEDESK_SERVER: an invitation may hold a
 * token, and process lists show options. Null when neither names a server.
 */
export function serverFrom(server: string | undefined, key: string | undefined, env: NodeJS.ProcessEnv): ServerAddress | null {
  const text = server ?? env.LITEDESK_SERVER ?? '';
  return text === '' ? null : parseServer(text, key);
}

/** `--password`, else LITEDESK_PASSWORD, else the first line of standard input with --password-stdin. */
export async function passwordFrom(
  values: { password?: string | undefined; 'password-stdin'?: boolean | undefined },
  io: CommandIo,
): Promise<string | undefined> {
  if (values.password !== undefined) return values.password;
  if (values['password-stdin']) {
    let text = '';
    for await (const chunk of io.stdin) {
      text += String(chunk);
      if (text.includes('\n')) break;
      if (text.length > MAX_PASSWORD_BYTES) throw new UsageError('The password on standard input is too long.');
    }
    return text.split('\n', 1)[0]?.replace(/\r$/, '') ?? '';
  }
  return io.env.LITEDESK_PASSWORD;
}

/** `--path`, or a usage error. */
export function pathFrom(text = 'auto'): PathChoice {
  const path = PATH_CHOICES.find((known) => known === text);
  if (path === undefined) throw new UsageError(`--path takes one of ${PATH_CHOICES.join(', ')}, not "${text}".`);
  return path;
}

/** A number within limits, or a usage error that names the option. */
export function numberOption(name: string, text: string | undefined, limits: { min: number; max: number }): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < limits.min || value > limits.max)
    throw new UsageError(`--${name} takes a number from ${limits.min} to ${limits.max}, not "${text}".`);
  return value;
}
