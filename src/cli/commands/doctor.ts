/** `litedesk doctor`: tests a server from a client's side, and ends in one sentence for a bug report. */
import { parseArgs } from 'node:util';
import { formatHostPort } from '../../net/index.ts';
import { noServer } from '../../peer/errors.ts';
import { initCrypto } from '../../core/crypto/index.ts';
import type { Check } from '../doctor/check.ts';
import { runDoctor } from '../doctor/run.ts';
import { doctorPorts } from '../doctor/target.ts';
import { verdictOf } from '../doctor/verdict.ts';
import { COMMON_OPTIONS, defaultDataDir, numberOption, serverFrom } from '../options.ts';
import { Output } from '../output.ts';
import type { CommandIo } from '../output.ts';

const HELP = `Usage: litedesk doctor --server ADDRESS [--key KEY] [OPTIONS]

Tests a rendezvous server and its relay from here: name, each port over UDP, TCP and WebSocket, the key, registration,
introduction, relay, NAT, port mapping and clock. Each line says ok, warn, fail or skip (not tested), and what to do next; the last one
can be pasted into a bug report. Works with hbbs and hbbr too. Exit code 1 when something fails.

  --server ADDRESS    HOST[:PORT] of the server, tls://HOST, wss://HOST and the like for one that has a
                      single port, or its invitation line (litedesk://…)
  --key KEY           the server's public key
  --nat-test-port N   where the server does not use the usual ports around its own
  --relay-port N
  --ws-port N
  --relay-ws-port N
  --single-port N     also test a port that carries everything, with TLS
  --json              one JSON object a line
`;

const PORT = { min: 1, max: 65_535 };
const SIGNS = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL', skip: '-   ' } as const;

/** Exit codes: 0 nothing failed, 1 something did, 2 usage. */
export async function doctorCommand(argv: string[], io: CommandIo): Promise<number> {
  const { values } = parseArgs({
    args: argv,
    options: {
      ...COMMON_OPTIONS,
      'nat-test-port': { type: 'string' },
      'relay-port': { type: 'string' },
      'ws-port': { type: 'string' },
      'relay-ws-port': { type: 'string' },
      'single-port': { type: 'string' },
    },
  });
  if (values.help) {
    io.stdout.write(HELP);
    return 0;
  }
  const server = serverFrom(values.server, values.key, io.env);
  if (!server) throw noServer();
  const port = (name: 'nat-test-port' | 'relay-port' | 'ws-port' | 'relay-ws-port' | 'single-port'): number | undefined =>
    numberOption(name, values[name], PORT);
  const [natTest, relay, ws, relayWs] = [port('nat-test-port'), port('relay-port'), port('ws-port'), port('relay-ws-port')];
  const singlePort = port('single-port') ?? 0;
  await initCrypto();
  const output = new Output(io, values.json === true);
  const name = formatHostPort(server);
  if (values.json !== true) io.stdout.write(`Testing ${name} from here.\n\n`);
  const facts = await runDoctor({
    name: server.host,
    single: server.single ?? null,
    ports: doctorPorts(server.port, {
      ...(server.single ? { relay: server.port } : {}),
      ...(natTest === undefined ? {} : { natTest }),
      ...(relay === undefined ? {} : { relay }),
      ...(ws === undefined ? {} : { ws }),
      ...(relayWs === undefined ? {} : { relayWs }),
    }),
    key: server.key,
    dataDir: values.data ?? defaultDataDir(io.env),
    signal: io.signal,
    singlePort,
    onCheck: (check) => output.event({ event: 'check', ok: check.status !== 'fail', ...check, hint: check.hint ?? '' }, lineOf(check)),
  });
  const verdict = verdictOf(name, facts, { platform: `${process.platform} ${process.arch}`, now: new Date() });
  output.event({ event: 'verdict', ...verdict }, `\n${verdict.summary}`);
  return verdict.ok ? 0 : 1;
}

function lineOf(check: Check): string {
  const head = `${SIGNS[check.status]}  ${check.name.padEnd(16)}  ${check.detail}${check.code === undefined ? '' : ` [${check.code}]`}`;
  return check.hint ? `${head}\n${' '.repeat(24)}→ ${check.hint}` : head;
}
