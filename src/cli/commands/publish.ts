/** `litedesk publish`: services of this computer on the public side of its server. */
import { parseArgs } from 'node:util';
import { Peer } from '../../peer/peer.ts';
import type { Publisher } from '../../peer/publish/publisher.ts';
import { MAX_SERVICES, parseService, type HealthCheck, type ServiceSpec } from '../../peer/publish/service-spec.ts';
import { COMMON_OPTIONS, defaultDataDir, noServerGiven, numberOption, serverFrom } from '../options.ts';
import { Output, UsageError } from '../output.ts';
import type { CommandIo } from '../output.ts';

const HELP = `Usage: litedesk publish [NAME=]KIND:HOST:PORT[,HOST:PORT…][@WHERE]… [OPTIONS]

Makes services of this computer's network reachable through its server: tcp and udp at one of the server's
--publish-ports, http and https under a host name. WHERE is that port or host name; without it the server chooses.
With http the server ends TLS; https goes through to the service as it is. Several HOST:PORT answer in turn.

  tcp:localhost:22@30022                     SSH at port 30022 of the server
  web=http:localhost:8080@www.example.org    a web server by name
  https:192.168.1.4:443@cloud.example.org    TLS up to the service itself
  game=udp:localhost:27015                   a UDP service, any free port

Options (for all services of the command):
  --allow CIDR            who may connect, repeatable (default: everybody)
  --basic-auth USER:PW    ask for a user and password (http only); or the variable LITEDESK_BASIC_AUTH
  --health tcp|/PATH      look whether a service answers: connect, or GET an HTTP path
  --health-interval S     seconds between two looks (default 10)
  --max-connections N     connections at once to each service
  --bandwidth MBIT        megabits a second for each service

The common options are those of \`litedesk --help\`.
`;

/** Runs until interrupted. Exit codes: 0 ended by a signal, 1 failure, 2 usage. */
export async function publishCommand(argv: string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      ...COMMON_OPTIONS,
      allow: { type: 'string', multiple: true },
      'basic-auth': { type: 'string' },
      health: { type: 'string' },
      'health-interval': { type: 'string' },
      'max-connections': { type: 'string' },
      bandwidth: { type: 'string' },
    },
  });
  if (values.help) {
    io.stdout.write(HELP);
    return 0;
  }
  const options = {
    allow: (values.allow ?? []).flatMap((entry) => entry.split(',')),
    basicAuth: basicAuthOf(values['basic-auth'] ?? io.env.LITEDESK_BASIC_AUTH),
    health: healthOf(values.health, values['health-interval']),
    maxConnections: Math.floor(numberOption('max-connections', values['max-connections'], { min: 1, max: 1_000_000 }) ?? 0),
    bandwidthKbps: Math.ceil((numberOption('bandwidth', values.bandwidth, { min: 0.001, max: 100_000 }) ?? 0) * 1000),
  };
  if (positionals.length === 0 || positionals.length > MAX_SERVICES)
    throw new UsageError(`Give 1 to ${MAX_SERVICES} services, like tcp:localhost:22.`);
  const services = positionals.map((text) => {
    try {
      return parseService(text, options);
    } catch (error) {
      throw new UsageError(`${(error as Error).message} ${(error as { hint?: string }).hint ?? ''}`);
    }
  });
  checkNames(services);
  const output = new Output(io, values.json === true);
  const server = serverFrom(values.server, values.key, io.env);
  const peer = await Peer.open({
    dataDir: values.data ?? defaultDataDir(io.env),
    desktop: null,
    overrides: { ...(server ? { server } : {}) },
    log: (line) => output.note(line),
  });
  if (!peer.server) {
    await peer.stop();
    return output.failure(noServerGiven());
  }
  const publisher = peer.publisher(services);
  printPublisher(publisher, output);
  publisher.start();
  await new Promise<void>((resolve) => {
    if (io.signal.aborted) resolve();
    else io.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await publisher.stop();
  await peer.stop();
  return 0;
}

/** Prints what becomes of the services. */
export function printPublisher(publisher: Publisher, output: Output): void {
  publisher.on('published', (event) =>
    output.event({ event: 'published', ...event }, `${event.name} is published: ${event.url}`),
  );
  publisher.on('unpublished', (event) =>
    output.event({ event: 'unpublished', ...event }, `${event.name} is not published: ${event.message || event.reason}`),
  );
  publisher.on('health', ({ name, healthy }) =>
    output.event({ event: 'health', name, healthy }, `${name} ${healthy ? 'answers again' : 'does not answer'}`),
  );
  publisher.on('offline', ({ error, retryInMs }) =>
    output.event(
      { event: 'offline', reason: error.code, ...error, retryInMs },
      `Offline: ${error.message} ${error.hint} Trying again in ${(retryInMs / 1000).toFixed(1)} s.`,
    ),
  );
}

function checkNames(services: readonly ServiceSpec[]): void {
  const names = new Set<string>();
  for (const { name } of services) {
    if (names.has(name)) throw new UsageError(`Two services are called "${name}"; write NAME= before one of them.`);
    names.add(name);
  }
}

function basicAuthOf(text: string | undefined): ServiceSpec['basicAuth'] {
  if (text === undefined || text === '') return null;
  const colon = text.indexOf(':');
  if (colon < 1 || colon > 100 || colon === text.length - 1) throw new UsageError('--basic-auth takes USER:PASSWORD.');
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function healthOf(text: string | undefined, interval: string | undefined): HealthCheck | null {
  const intervalMs = 1000 * (numberOption('health-interval', interval, { min: 0.1, max: 3600 }) ?? 10);
  if (text === undefined) return null;
  if (text !== 'tcp' && !/^\/[\x21-\x7e]*$/.test(text)) throw new UsageError('--health takes tcp, or a path like /healthz.');
  return { path: text === 'tcp' ? null : text, intervalMs };
}
