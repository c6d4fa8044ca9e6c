import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

export interface AppOptions {
  /** Identity, settings and keys; one running app per folder. */
  readonly dataDir: string;
  /** Says ID and password on stdout: there is no screen that anybody could read them from. */
  readonly printId: boolean;
  /** True if Chromium's sandbox was switched off on the command line, which only root needs. */
  readonly withoutSandbox: boolean;
}

/** Where data lives unless told otherwise: the same folder as that of the command line tool (docs/cli.md). */
function defaultDataDir(env: NodeJS.ProcessEnv): string {
  const home = homedir();
  if (env.LITEDESK_DATA) return env.LITEDESK_DATA;
  if (process.platform === 'win32' && env.APPDATA) return join(env.APPDATA, 'LiteDesk');
  if (process.platform === 'darwin') return join(home, 'Library', 'Application Support', 'LiteDesk');
  return join(env.XDG_CONFIG_HOME ?? join(home, '.config'), 'litedesk');
}

/** `--data DIR` or `--data=DIR`, else LITEDESK_DATA, else the folder of the platform. */
export function readOptions(argv: readonly string[], env: NodeJS.ProcessEnv): AppOptions {
  const at = argv.findIndex((text) => text === '--data' || text.startsWith('--data='));
  const given = at < 0 ? undefined : argv[at] === '--data' ? argv[at + 1] : argv[at]?.slice('--data='.length);
  return {
    dataDir: resolve(given || defaultDataDir(env)),
    printId: env.LITEDESK_PRINT_ID === '1',
    withoutSandbox: argv.includes('--no-sandbox'),
  };
}
