/** `litedesk server`: hosts rendezvous and relay until it is told to stop. */
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { parseArgs } from 'node:util';
import { LiteDeskError } from '../../core/errors.ts';
import { type RunningServer, type ServerOptions, startServer, type WantedPorts } from '../../server/index.ts';

export interface ServerCommandIo {
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Ends the command. */
  readonly signal: AbortSignal;
  readonly dataDir: string;
  readonly json: boolean;
}

export const SERVER_USAGE = `Usage: litedesk server [options]

Hosts the server that computers find each other through: rendezvous, NAT test, relay and WebSocket in one process.

  --data DIR            where the key pair and the list of computers live
  --bind ADDR           listen on one local address only (default: all)
  --port N              rendezvous port, TCP and UDP (default 21116); the NAT test takes the port below it
  --relay-port N        relay port (default: rendezvous port + 1); 0: off
  --ws-port N           rendezvous over WebSocket (default: rendezvous port + 2); 0: off
  --relay-ws-port N     relay over WebSocket (default: relay port + 2); 0: off
  --relay HOST[:PORT]   another relay that clients are sent to; may be repeated
  --key KEY             what clients must send as key: - for the public key of the pair (default), or a text of your own
  --always-relay        send every session through the relay, except within one network
  --mask NETWORK/BITS   addresses that count as your LAN
  --json                one JSON object a line on stdout
`;

const OPTIONS = {
  data: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  bind: { type: 'string' },
  port: { type: 'string' },
  'relay-port': { type: 'string' },
  'ws-port': { type: 'string' },
  'relay-ws-port': { type: 'string' },
  relay: { type: 'string', multiple: true },
  key: { type: 'string' },
  'always-relay': { type: 'boolean' },
  mask: { type: 'string' },
  store: { type: 'string' },
  'lobby-port': { type: 'string' },
  'single-port': { type: 'string' },
  'metrics-port': { type: 'string' },
  'http-port': { type: 'string' },
  'https-port': { type: 'string' },
  'publish-ports': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
} as const;

/** Known from the command's contract, but there is nothing behind them yet: better refused than pretended. */
const NOT_YET = [
  'lobby-port',
  'single-port',
  'metrics-port',
  'http-port',
  'https-port',
  'publish-ports',
  'tls-cert',
  'tls-key',
] as const;

const MAX_PORT = 65_535;

/**
 * Runs the server until `io.signal` aborts.
 * @param argv what stands behind `litedesk server`
 * @returns the exit code: 0 after a clean end, 1 for a failure, 2 for wrong usage
 */
export async function serverCommand(argv: string[], io: ServerCommandIo): Promise<number> {
  let options: ServerOptions | null;
  try {
    options = parseServerArgs(argv, io.dataDir);
  } catch (error) {
    return fail(io, error instanceof LiteDeskError ? error : usage(error instanceof Error ? error.message : String(error)));
  }
  if (options === null) {
    io.stdout.write(SERVER_USAGE);
    return 0;
  }
  let server: RunningServer;
  try {
    server = await startServer({
      ...options,
      log: (level, event, fields) => {
        if (level === 'warn') io.stderr.write(`${JSON.stringify({ level, event, ...fields })}\n`);
      },
    });
  } catch (error) {
    return fail(io, error instanceof LiteDeskError ? error : unexpected(error));
  }
  announce(io, server);
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) return resolve();
    io.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await server.close();
  return 0;
}

/** @returns null when only help was asked for. @throws LiteDeskError (stage usage), or the error of parseArgs */
function parseServerArgs(argv: string[], dataDir: string): ServerOptions | null {
  const { values } = parseArgs({ args: argv, options: OPTIONS, strict: true, allowPositionals: false });
  if (values.help) return null;
  for (const name of NOT_YET) {
    const value = values[name];
    if (value !== undefined && value !== '0' && value !== '') throw usage(`--${name} is not supported in this version.`);
  }
  const store = values.store;
  if (store !== undefined && store !== '' && store !== `sqlite:${join(dataDir, 'peers.sqlite3')}`)
    throw usage('--store is not supported in this version: the list of computers is kept in the data folder.');
  if (values.bind !== undefined && isIP(values.bind) === 0) throw usage(`--bind ${values.bind} is not an IP address.`);
  return {
    dataDir,
    bind: values.bind,
    ports: portsOf(values),
    relays: (values.relay ?? []).flatMap((list) => list.split(',')).filter((relay) => relay !== ''),
    key: values.key,
    alwaysRelay: values['always-relay'] ?? false,
    mask: values.mask,
  };
}

function portsOf(values: {
  port?: string | undefined;
  'relay-port'?: string | undefined;
  'ws-port'?: string | undefined;
  'relay-ws-port'?: string | undefined;
}): WantedPorts {
  const read = (name: 'port' | 'relay-port' | 'ws-port' | 'relay-ws-port', least: number): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
    if (!(port >= least && port <= MAX_PORT)) throw usage(`--${name} ${text} is not a port.`);
    return port;
  };
  // The rendezvous port has a neighbour on each side, and clients count on it.
  const rendezvous = read('port', 3);
  const [relay, ws, relayWs] = [read('relay-port', 0), read('ws-port', 0), read('relay-ws-port', 0)];
  return {
    ...(rendezvous === undefined ? {} : { rendezvous }),
    ...(relay === undefined ? {} : { relay }),
    ...(ws === undefined ? {} : { ws }),
    ...(relayWs === undefined ? {} : { relayWs }),
  };
}

function announce(io: ServerCommandIo, server: RunningServer): void {
  const { ports, publicKey, invitation, host } = server;
  if (io.json) {
    const off = { lobby: 0, single: 0, metrics: 0, http: 0, https: 0 };
    io.stdout.write(`${JSON.stringify({ event: 'ready', key: publicKey, invite: invitation, ports: { ...ports, ...off } })}\n`);
    return;
  }
  const shown = host.includes(':') ? `[${host}]` : host;
  const part = (name: string, port: number): string => (port > 0 ? `${name} ${port}` : `${name} off`);
  io.stdout.write(
    [
      'The server is running.',
      '',
      `  Address     ${shown}${ports.rendezvous === 21116 ? '' : `:${ports.rendezvous}`}`,
      `  Key         ${publicKey}`,
      `  Invitation  ${invitation}`,
      '',
      `Ports: ${part('rendezvous', ports.rendezvous)} (TCP and UDP), ${part('NAT test', ports.natTest)}, ${part('relay', ports.relay)}, ` +
        `${part('WebSocket', ports.ws)}, ${part('relay WebSocket', ports.relayWs)}.`,
      'Paste the invitation on each computer. Computers outside your network need the public address of this one instead.',
      'Ctrl+C stops the server.',
      '',
    ].join('\n'),
  );
}

function fail(io: ServerCommandIo, error: LiteDeskError): number {
  if (io.json) io.stdout.write(`${JSON.stringify({ event: 'error', ...error.toData() })}\n`);
  else io.stderr.write(`${error.message}\n${error.hint}\n`);
  return error.stage === 'usage' ? 2 : 1;
}

function usage(message: string): LiteDeskError {
  return new LiteDeskError({ code: 'USAGE', stage: 'usage', message, hint: 'See litedesk server --help.' });
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
