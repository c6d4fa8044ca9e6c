/** `--store redis://…`: where Redis is, and what of that may be shown. */
import { readFileSync } from 'node:fs';
import { LiteDeskError } from '../../core/errors.ts';

export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  /** A unix socket instead of host and port. */
  readonly path: string | undefined;
  readonly tls: boolean;
  /** CA certificate (PEM) that signed the server's, besides those of the system. */
  readonly ca: string | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  /** Host, port and database: what logs and errors show. */
  readonly shown: string;
}

const DEFAULT_PORT = 6379;
const PARAMETERS = ['password-file', 'ca'];

export function isRedisUrl(store: string | undefined): store is string {
  return store !== undefined && /^(rediss?|redis\+unix):\/\//i.test(store);
}

/**
 * `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS, `redis+unix:///path/to/socket`. `?password-file=FILE`
 * keeps the password out of the process list, `?ca=FILE` names the certificate authority of a private Redis.
 * @throws LiteDeskError USAGE; the message never has the password
 */
export function parseRedisUrl(text: string, readFile = (file: string): string => readFileSync(file, 'utf8')): RedisTarget {
  let url: URL;
  try {
    // Schemes that URL does not know have no host to it when it is empty.
    url = new URL(text.replace(/^redis\+unix:/i, 'redis-unix:'));
  } catch {
    throw bad('is not an address like redis://host:6379');
  }
  for (const name of url.searchParams.keys())
    if (!PARAMETERS.includes(name)) throw bad(`has an unknown parameter ${name} (known: ${PARAMETERS.join(', ')})`);
  const isUnix = url.protocol === 'redis-unix:';
  const host = url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
  const port = url.port === '' ? DEFAULT_PORT : Number(url.port);
  const database = isUnix ? 0 : databaseOf(url.pathname);
  const path = isUnix ? decodeURIComponent(url.pathname) : undefined;
  const passwordFile = url.searchParams.get('password-file');
  const ca = url.searchParams.get('ca');
  const read = (file: string): string => {
    try {
      return readFile(file);
    } catch {
      throw bad(`names a file that cannot be read: ${file}`);
    }
  };
  const password = passwordFile ? read(passwordFile).trim() : decodeURIComponent(url.password);
  return {
    ...{ host, port, path, database },
    tls: url.protocol === 'rediss:',
    ca: ca ? read(ca) : undefined,
    username: url.username === '' ? undefined : decodeURIComponent(url.username),
    password: password === '' ? undefined : password,
    shown: path ?? `${host.includes(':') ? `[${host}]` : host}:${port}/${database}`,
  };
}

function databaseOf(pathname: string): number {
  const text = pathname.replace(/^\//, '');
  if (text === '') return 0;
  if (!/^\d{1,4}$/.test(text)) throw bad('has no number of a database behind the slash');
  return Number(text);
}

function bad(why: string): LiteDeskError {
  return new LiteDeskError({ code: 'USAGE', stage: 'usage', message: `--store ${why}.`, hint: 'See litedesk server --help.' });
}
