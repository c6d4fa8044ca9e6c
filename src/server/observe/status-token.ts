/** The token of metrics and status page, in a file of its own that only the operator can read. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LiteDeskError } from '../../core/errors.ts';

const STATUS_TOKEN_FILE = 'status_token';
/** Shorter ones could be guessed by trying. */
const MIN_LENGTH = 16;

/**
 * The token in `dataDir`; '' when there is none and none is `needed`, else it is made.
 * @throws LiteDeskError STATUS_TOKEN_BROKEN when the file holds something that cannot be a token
 */
export function statusToken(dataDir: string, needed: boolean): string {
  const file = join(dataDir, STATUS_TOKEN_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw broken(file, error);
    if (!needed) return '';
    text = randomBytes(24).toString('base64url');
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    writeFileSync(file, `${text}\n`, { mode: 0o600, flag: 'wx' });
    return text;
  }
  if (text.length < MIN_LENGTH || !/^[\x21-\x7e]{1,512}$/.test(text)) throw broken(file, undefined);
  chmodSync(file, 0o600);
  return text;
}

function broken(file: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'STATUS_TOKEN_BROKEN',
      stage: 'server',
      message: `${file} holds no token for the status page.`,
      hint: 'Remove the file to get a new one, or write one of at least 16 letters and digits into it.',
    },
    { cause },
  );
}
