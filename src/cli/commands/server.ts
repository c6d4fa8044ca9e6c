/** `litedesk server`: hosts rendezvous and relay until it is told to stop. */
import type { Writable } from 'node:stream';
import { Command, CommanderError, Option } from 'commander';
import { LiteDeskError } from '../../core/errors.ts';
import { boundHeap } from '../../server/bound-heap.ts';
import { configError, OPTIONS, type ServerConfig, serverOptions } from '../../server/config.ts';
import { readConfig, serverDataDir } from '../../server/config-sources.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../server/index.ts';
import { qrText } from '../../shared/qr.ts';
import { defaultDataDir } from '../options.ts';
import { runPrimary, runWorker, type ServerFacts, workerIndex } from '../server-workers.ts';
import { ServerLogger } from '../server-logger.ts';

export interface ServerCommandIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Ends the command. */
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
}

/**
 * Runs the server until `io.signal` aborts.
 * @param argv what stands behind `litedesk server`
 * @returns the exit code: 0 after a clean end, 1 for a failure, 2 for wrong usage
 */
export async function serverCommand(argv: string[], io: ServerCommandIo): Promise<number> {
  let qr = false;
  let json = argv.includes('--json');
  const logger = new ServerLogger(io.stderr);
  let server: RunningServer;
  try {
    const flags = parseArgv(argv, io);
    if (flags === null) return 0;
    json = flags.json === true;
    boundHeap();
    qr = flags.qr === true;
    const index = workerIndex(io.env);
    const { options, config } = configure(flags, io, logger);
    if (config.workers > 1 && index === null)
      return await runPrimary({ argv, io, json, config, log: logger.log, announce: (first) => announce(io, json, first, qr) });
    if (index !== null) return await runWorker(index, { ...options, log: logger.log }, io.signal);
    server = await startServer({ ...options, log: logger.log });
  } catch (error) {
    return fail(io, json, error instanceof LiteDeskError ? error : unexpected(error));
  }
  announce(io, json, server, qr);
  const reload = (): void => void server.reload();
  process.on('SIGHUP', reload);
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) return resolve();
    io.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  process.off('SIGHUP', reload);
  await server.close();
  return 0;
}

/**
 * What a command line would start, without starting it: the options it comes to, or null when it only asks for help.
 * @throws LiteDeskError USAGE
 */
export function readServerCommandLine(argv: string[], io: ServerCommandIo): ServerOptions | null {
  const flags = parseArgv(argv, io);
  return flags === null ? null : configure(flags, io, new ServerLogger(io.stderr)).options;
}

type Flags = Record<string, unknown>;

/** The command line by option name, or null when only help was asked for. @throws LiteDeskError USAGE */
function parseArgv(argv: string[], io: ServerCommandIo): Flags | null {
  const command = new Command('litedesk server')
    .description('Hosts the server that computers find each other through: rendezvous, NAT test, relay and WebSocket in one process.')
    .helpOption('-h, --help', 'show this')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => {}, getOutHelpWidth: () => 110 })
    .option('--data <DIR>', 'key pair and computers (default: this folder when hbbs ran here, else a folder of your account)')
    .option('-c, --config <FILE>', 'options from a JSON file, or an INI file of hbbs; flags go before it')
    .option('--qr', 'show the invitation as a QR code too')
    .option('--json', 'one JSON object a line on stdout');
  const canonical = new Map<string, string>();
  for (const { name, flag, info } of OPTIONS) {
    const add = (flags: string, help: string | null): void => {
      const arg = info.arg === undefined ? '' : info.arg.startsWith('[') ? ` ${info.arg}` : ` <${info.arg}>`;
      const option = new Option(`${flags}${arg}`, help ?? undefined);
      if (info.many) option.argParser((value: string, before: string[] | undefined) => [...(before ?? []), value]);
      command.addOption(help === null ? option.hideHelp() : option);
      canonical.set(option.attributeName(), name);
    };
    add(info.short === undefined ? `--${flag}` : `-${info.short}, --${flag}`, info.help);
    for (const alias of info.flags ?? []) add(`--${alias}`, null);
  }
  command.addHelpText('after', '\nEvery option may also stand in the environment, as LITEDESK_ and its name in capitals; those of hbbs and hbbr are taken too.\n');
  try {
    // hbbs also takes `-k=_`.
    command.parse(argv.flatMap((arg) => (/^-[A-Za-z]=/.test(arg) ? [arg.slice(0, 2), arg.slice(3)] : [arg])), { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return null;
    throw configError(error.message.replace(/^error: /, ''));
  }
  const flags: Flags = {};
  for (const [attribute, value] of Object.entries(command.opts<Flags>())) {
    const name = canonical.get(attribute) ?? attribute;
    flags[name] = Array.isArray(value) && Array.isArray(flags[name]) ? [...flags[name], ...value] : value;
  }
  return flags;
}

/** @throws LiteDeskError USAGE */
function configure({ data, json: _json, qr: _qr, config: configFile, ...flags }: Flags, io: ServerCommandIo, logger: ServerLogger): { options: ServerOptions; config: ServerConfig } {
  const dataDir = serverDataDir(data as string | undefined, io.env, io.cwd, defaultDataDir(io.env));
  const config = readConfig({
    flags,
    configFile: configFile as string | undefined,
    env: io.env,
    dataDir,
    onIneffective: (option, reason) => logger.log('warn', 'option-without-effect', { option, reason }),
  });
  logger.level = config.logLevel;
  return { options: serverOptions(config, dataDir), config };
}

const ENROLMENT_HINTS = {
  token: 'New computers need an invitation of their own: litedesk invite.',
  approval: 'New computers wait for you: litedesk admin pending, and litedesk admin approve ID.',
} as const;

function announce(io: ServerCommandIo, json: boolean, server: ServerFacts, qr: boolean): void {
  const { ports, publicKey, invitation, host } = server;
  if (json) {
    io.stdout.write(`${JSON.stringify({ event: 'ready', key: publicKey, invite: invitation, ports })}\n`);
    return;
  }
  const shown = host.includes(':') ? `[${host}]` : host;
  if (invitation === '') {
    io.stdout.write(`The relay is running. Name it to your server: --relay ${shown}${ports.relay === 21117 ? '' : `:${ports.relay}`}\nCtrl+C stops it.\n`);
    return;
  }
  const part = (name: string, port: number): string => (port > 0 ? `${name} ${port}` : `${name} off`);
  io.stdout.write(
    [
      'The server is running.',
      '',
      `  Address     ${shown}${ports.rendezvous === 21116 ? '' : `:${ports.rendezvous || ports.single}`}`,
      `  Key         ${publicKey}`,
      `  Invitation  ${invitation}`,
      '',
      ...(qr ? [qrText(invitation), ''] : []),
      ...(ports.rendezvous > 0
        ? [
            `Ports: ${part('rendezvous', ports.rendezvous)} (TCP and UDP), ${part('NAT test', ports.natTest)}, ${part('relay', ports.relay)}, ` +
              `${part('WebSocket', ports.ws)}, ${part('relay WebSocket', ports.relayWs)}.`,
          ]
        : []),
      ...(ports.single > 0 ? [`Single port: ${ports.single} (TCP and UDP) carries everything.`] : []),
      ...(ports.http + ports.https > 0 ? [`Published web services: ${part('HTTP', ports.http)}, ${part('HTTPS', ports.https)}.`] : []),
      ...(server.statusUrl === '' ? [] : [`Status page: ${server.statusUrl}`]),
      ...(server.enrolment === 'open' ? [] : [ENROLMENT_HINTS[server.enrolment]]),
      'Paste the invitation on each computer. Computers outside your network need the public address of this one instead.',
      'Ctrl+C stops the server.',
      '',
    ].join('\n'),
  );
}

function fail(io: ServerCommandIo, json: boolean, error: LiteDeskError): number {
  if (json) io.stdout.write(`${JSON.stringify({ event: 'error', ...error.toData() })}\n`);
  else io.stderr.write(`${error.message}\n${error.hint}\n`);
  return error.stage === 'usage' ? 2 : 1;
}

function unexpected(error: unknown): LiteDeskError {
  const reason = error instanceof Error ? error.message : String(error);
  return new LiteDeskError(
    {
      code: 'SERVER_FAILED',
      stage: 'server',
      message: `The server could not start: ${reason}.`,
      hint: 'Check that the data folder can be written.',
    },
    { cause: error },
  );
}
