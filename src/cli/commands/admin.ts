/** `litedesk admin`: talks to the server on this computer through the socket in its data folder (docs/cli.md). */
import { callAdmin } from '../../server/admin/client.ts';
import { serverDataDir } from '../../server/config-sources.ts';
import { LiteDeskError } from '../../core/errors.ts';
import { defaultDataDir } from '../options.ts';
import { Output, UsageError } from '../output.ts';
import type { CommandIo } from '../output.ts';

const USAGE = `Usage: litedesk admin [--data DIR] [--json] COMMAND [ARGUMENTS]

Asks the server that runs on this computer with that data folder. \`litedesk admin help\` lists what it can do;
the commands of the consoles of hbbs and hbbr are known by their old names too.
`;

/** @returns 0, 1 for a failure, 2 for a command that the server does not know */
export async function adminCommand(argv: string[], io: CommandIo): Promise<number> {
  const { data, json, help, words } = split(argv);
  if (help) {
    io.stdout.write(USAGE);
    return 0;
  }
  const output = new Output(io, json);
  try {
    const dir = serverDataDir(data, io.env, process.cwd(), defaultDataDir(io.env));
    const { command, result, text } = await callAdmin(dir, words, io.signal);
    output.event({ event: 'result', command, result }, text);
    return 0;
  } catch (error) {
    const code = output.failure(error);
    return error instanceof LiteDeskError && error.stage === 'usage' ? 2 : code;
  }
}

/** Our own options may stand anywhere; the rest goes to the server as it is. Behind `--` all of it does. */
function split(argv: readonly string[]): { data: string | undefined; json: boolean; help: boolean; words: string[] } {
  const words: string[] = [];
  let data: string | undefined;
  let json = false;
  let help = false;
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i] ?? '';
    if (arg === '--') {
      words.push(...argv.slice(i));
      break;
    }
    if (arg === '--json') json = true;
    else if (arg === '--help' || arg === '-h') help = true;
    else if (arg.startsWith('--data=')) data = arg.slice('--data='.length);
    else if (arg === '--data') {
      data = argv[++i];
      if (data === undefined) throw new UsageError('--data takes a folder.');
    } else words.push(arg);
  }
  return { data, json, help, words };
}
