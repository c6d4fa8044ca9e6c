/** `litedesk invite`: the line to hand out. From the running server where there is one, else from its key file. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LiteDeskError } from '../../core/errors.ts';
import { callAdmin } from '../../server/admin/client.ts';
import { serverDataDir } from '../../server/config-sources.ts';
import { DEFAULT_RENDEZVOUS_PORT, formatInvitation } from '../../shared/invitation.ts';
import { qrText } from '../../shared/qr.ts';
import { defaultDataDir, numberOption } from '../options.ts';
import { Output } from '../output.ts';
import type { CommandIo } from '../output.ts';

const USAGE = `Usage: litedesk invite [options]

Prints the invitation to the server of this computer: one line that is pasted on other computers.

  --data DIR          data folder of the server
  --host NAME         the server's name or address as the others reach it
  --qr                as a QR code too
  --uses N|any        computers that may enrol with it (default 1); makes a token
  --expires TIME      for how long: 90m, 12h, 7d (default), never; makes a token
  --note TEXT         what it is for, shown by \`litedesk admin invite list\`
  --no-token          no token, also where the server asks new computers for one
  --port N            its port, when the server does not run now
  --json              one JSON object a line on standard output

A token is needed where the server runs with --enrolment token, and is made there without being asked for.
`;

const OPTIONS = {
  data: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  host: { type: 'string' },
  port: { type: 'string' },
  qr: { type: 'boolean' },
  uses: { type: 'string' },
  expires: { type: 'string' },
  note: { type: 'string' },
  'no-token': { type: 'boolean' },
} as const;
/** These go to the server as they are. */
const PASSED = ['host', 'uses', 'expires', 'note'] as const;

export async function inviteCommand(argv: string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({ args: argv, options: OPTIONS, strict: true, allowPositionals: false });
  if (values.help) {
    io.stdout.write(USAGE);
    return 0;
  }
  const output = new Output(io, values.json ?? false);
  const dir = serverDataDir(values.data, io.env, process.cwd(), defaultDataDir(io.env));
  const words = ['invite'];
  for (const name of PASSED) if (values[name] !== undefined) words.push(`--${name}=${values[name]}`);
  if (values.qr) words.push('--qr');
  if (values['no-token']) words.push('--no-token');
  try {
    const { result, text } = await callAdmin(dir, words, io.signal);
    output.event({ event: 'invitation', ...(result as Record<string, unknown>) }, text);
    return 0;
  } catch (error) {
    const isDown = error instanceof LiteDeskError && error.code === 'ADMIN_NOT_RUNNING';
    const wantsToken = values.uses !== undefined || values.expires !== undefined || values.note !== undefined;
    // Only the server itself may give out tokens; the line without one needs nothing but the key.
    if (!isDown || wantsToken) return usageOr(error, output);
    const key = publicKey(dir);
    if (key === null) return output.failure(error);
    const port = numberOption('port', values.port, { min: 1, max: 65_535 }) ?? DEFAULT_RENDEZVOUS_PORT;
    const invitation = formatInvitation({ host: values.host ?? hostname(), port, key });
    const qr = values.qr ? qrText(invitation) : null;
    output.event({ event: 'invitation', invitation, key, token: null, qr }, qr ? `${invitation}\n\n${qr}` : invitation);
    return 0;
  }
}

function usageOr(error: unknown, output: Output): number {
  const code = output.failure(error);
  return error instanceof LiteDeskError && error.stage === 'usage' ? 2 : code;
}

function publicKey(dataDir: string): string | null {
  try {
    return readFileSync(join(dataDir, 'id_ed25519.pub'), 'utf8').trim();
  } catch {
    return null;
  }
}
