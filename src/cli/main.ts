#!/usr/bin/env node
/** The `litedesk` command (docs/cli.md). */
import { adminCommand } from './commands/admin.ts';
import { connectCommand } from './commands/connect.ts';
import { doctorCommand } from './commands/doctor.ts';
import { forwardCommand } from './commands/forward.ts';
import { hostCommand } from './commands/host.ts';
import { inviteCommand } from './commands/invite.ts';
import { pinsCommand } from './commands/pins.ts';
import { proxyCommand } from './commands/proxy.ts';
import { publishCommand } from './commands/publish.ts';
import { serverCommand } from './commands/server.ts';
import { Output, UsageError } from './output.ts';
import type { CommandIo } from './output.ts';
import { LiteDeskError } from '../core/errors.ts';
import { THREADS } from '../net/index.ts';

const USAGE = `Usage: litedesk COMMAND [OPTIONS]

  server              host a rendezvous server and relay
  admin COMMAND       ask or change a running server on this computer
  invite              the line to hand out, also as QR code
  host                share this machine without a window
  connect ID          connect to a peer, measure the path, stay for a while
  publish SERVICE…    make a service of this computer reachable through the server
  pins                keys of this and of known computers
  forward ID PORT:HOST:PORT   ports here that lead to places there
  proxy ID PORT       HTTP and SOCKS5 here, leaving from there
  doctor              test a server from here, for a bug report

Common options:
  --data DIR          where identity, settings and keys live
  --server ADDRESS    HOST[:PORT] of the server, or its invitation line (litedesk://…); or LITEDESK_SERVER
  --key KEY           the server's public key
  --password PW       or the variable LITEDESK_PASSWORD, or --password-stdin
  --json              one JSON object a line on standard output

litedesk COMMAND --help tells the options of a command.
`;

const COMMANDS: Record<string, (argv: string[], io: CommandIo) => Promise<number>> = {
  server: (argv, io) => serverCommand(argv, { ...io, stdout: process.stdout, stderr: process.stderr, cwd: process.cwd() }),
  admin: adminCommand,
  invite: inviteCommand,
  host: hostCommand,
  connect: connectCommand,
  forward: forwardCommand,
  proxy: proxyCommand,
  publish: publishCommand,
  doctor: doctorCommand,
  pins: pinsCommand,
};

/** Time that a command has to end cleanly after SIGINT or SIGTERM. */
const SHUTDOWN_LIMIT_MS = 1_800;

async function run(argv: string[]): Promise<number> {
  // Read when the first of them is needed.
  process.env['UV_THREADPOOL_SIZE'] ??= String(THREADS);
  const abort = new AbortController();
  const io: CommandIo = {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    signal: abort.signal,
  };
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      interrupted = true;
      abort.abort();
      setTimeout(() => process.exit(0), SHUTDOWN_LIMIT_MS).unref();
    });
  const [name = '', ...rest] = argv;
  if (name === '--help' || name === '-h' || name === 'help') {
    io.stdout.write(USAGE);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) {
    io.stderr.write(name === '' ? USAGE : `litedesk: there is no command "${name}"\n\n${USAGE}`);
    return 2;
  }
  try {
    const code = await command(rest, io);
    return interrupted ? 0 : code;
  } catch (error) {
    if (interrupted) return 0;
    const isUsage =
      error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true;
    const json = rest.includes('--json');
    if (isUsage || isMisspelt(error)) {
      io.stderr.write(`litedesk ${name}: ${(error as Error).message}\n`);
      if (json) new Output(io, json).failure(usageError(name, error));
      return 2;
    }
    return new Output(io, json).failure(error);
  }
}

/** What was written on the command line cannot be meant. */
function isMisspelt(error: unknown): error is LiteDeskError {
  return error instanceof LiteDeskError && error.stage === 'usage' && /^(TARGET|BAD_ADDRESS|INVITATION)/.test(error.code);
}

function usageError(name: string, error: unknown): LiteDeskError {
  if (isMisspelt(error)) return error;
  const { message } = error as Error;
  return new LiteDeskError({ code: 'USAGE', stage: 'usage', message, hint: `See litedesk ${name} --help.` }, { cause: error });
}

// `litedesk … | head`: whoever read has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

run(process.argv.slice(2)).then(
  (code) => {
    // Standard output may be a pipe: what was written must leave before the process does.
    process.stdout.write('', () => process.exit(code));
  },
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);
