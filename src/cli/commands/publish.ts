/** `litedesk publish`: services of this computer on the public side of its server. */
import { parseArgs } from 'node:util';
import { LiteDeskError } from '../../core/errors.ts';
import { noServer } from '../../peer/errors.ts';
import { Peer } from '../../peer/peer.ts';
import type { Publisher } from '../../peer/publish/publisher.ts';
import { MAX_SERVICES } from '../../peer/publish/service-spec.ts';
import { COMMON_OPTIONS, defaultDataDir, numberOption, serverFrom } from '../options.ts';
import { Output, UsageError } from '../output.ts';
import type { CommandIo } from '../output.ts';
import { checkNames, DEFAULT_HEALTH_INTERVAL_S, megabitsToKbps, readBasicAuth, readHealth, readService } from '../service-options.ts';

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

const HOPELESS: readonly string[] = ['PUBLISH_NOT_OFFERED', 'PUBLISH_NEEDS_KEY', 'PUBLISH_NOT_ALLOWED', 'HANDSHAKE_BAD_SIGNATURE'];

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
    basicAuth: readBasicAuth(values['basic-auth'] ?? io.env.LITEDESK_BASIC_AUTH ?? ''),
    health: readHealth(
      values.health ?? '',
      numberOption('health-interval', values['health-interval'], { min: 0.1, max: 3600 }) ?? DEFAULT_HEALTH_INTERVAL_S,
    ),
    maxConnections: Math.floor(numberOption('max-connections', values['max-connections'], { min: 1, max: 1_000_000 }) ?? 0),
    bandwidthKbps: megabitsToKbps(numberOption('bandwidth', values.bandwidth, { min: 0.001, max: 100_000 }) ?? 0),
  };
  if (positionals.length === 0 || positionals.length > MAX_SERVICES)
    throw new UsageError(`Give 1 to ${MAX_SERVICES} services, like tcp:localhost:22.`);
  const services = positionals.map((text) => readService(text, options));
  checkNames(services);
  const output = new Output(io, values.json === true);
  const server = serverFrom(values.server, values.key, io.env);
  const peer = await Peer.open({
    dataDir: values.data ?? defaultDataDir(io.env),
    desktop: null,
    overrides: { ...(server ? { server } : {}) },
    log: output.log,
  });
  if (!peer.server) {
    await peer.stop();
    return output.failure(noServer());
  }
  const publisher = peer.publisher(services);
  printPublisher(publisher, output);
  const failed = hopeless(publisher);
  publisher.start();
  try {
    await Promise.race([interrupted(io.signal), failed]);
    return 0;
  } finally {
    await publisher.stop();
    await peer.stop();
  }
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Rejects with what does not heal by itself, as long as nothing was published: later a server may only be set up anew. */
function hopeless(publisher: Publisher): Promise<never> {
  let wasPublished = false;
  publisher.on('published', () => (wasPublished = true));
  return new Promise((_, reject) => {
    publisher.on('offline', ({ error }) => {
      if (!wasPublished && HOPELESS.includes(error.code)) reject(new LiteDeskError(error));
    });
  });
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
