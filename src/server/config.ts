/**
 * Every option of the server, once: the schema from which the command line, the environment (LITEDESK_…), the `--config`
 * file and the names of hbbs and hbbr (rendezvous §1.5) all come. To add one, add a line here and read it in
 * serverOptions(), or wherever it is used; `litedesk server --help` and all sources know it from then on.
 */
import { isIP } from 'node:net';
import { z } from 'zod';
import { LiteDeskError } from '../core/errors.ts';
import { hostName } from '../core/publish/index.ts';
import { parseHostPort } from '../net/endpoint.ts';
import { isRedisUrl } from './cluster/redis-url.ts';
import type { ServerOptions } from './contract.ts';
import { DEFAULT_LIMITS, type ServerLimits } from './limits.ts';
import { LOBBY_PORT } from './lobby/lobby.ts';
import { PublishPolicy } from './publish/policy.ts';

/** What the sources of an option need besides its type. */
export interface OptionInfo {
  readonly help: string;
  /** Placeholder of the value in the help, in brackets where it may be left out; absent: a switch. */
  readonly arg?: string;
  /** One-letter flag. */
  readonly short?: string;
  /** Further long flags, without the dashes. */
  readonly flags?: readonly string[];
  /** What hbbs and hbbr call it in the environment, `.env` and INI; `-` and `_`, upper and lower case are the same. */
  readonly stock?: readonly string[];
  /** The flag may be repeated. */
  readonly many?: boolean;
  /** An empty variable means an empty value, not an absent one. */
  readonly emptyCounts?: boolean;
}

const info = z.registry<OptionInfo>();

const MAX_PORT = 65_535;
const YES = /^(y|yes|true|on|1)$/i;
const NO = /^(n|no|false|off|0|)$/i;

function number(min: number, max: number, what: string): z.ZodType<number> {
  return z.preprocess(
    (value) => (typeof value === 'string' && /^-?\d{1,15}(\.\d{1,9})?$/.test(value) ? Number(value) : value),
    z.int(`is not ${what}`).min(min, `is not ${what}`).max(max, `is not ${what}`),
  );
}

const wholeNumber = (max: number): z.ZodType<number> => number(0, max, `a whole number from 0 to ${max}`);
/** 0: off. */
const port = (): z.ZodType<number> => number(0, MAX_PORT, 'a port');
/** Without a value: where browsers and firewalls expect TLS. */
const lobbyPort = z.preprocess((value) => (value === true ? LOBBY_PORT : value), port());
const singlePort = z.preprocess((value) => (value === true ? 443 : value), port());
/** The rendezvous port has a neighbour on each side, and clients count on it (rendezvous §1). */
const rendezvousPort = port().refine((value) => value === 0 || value >= 3, 'is not a port from 3 up');
const text = (): z.ZodString => z.string('is not a text').max(4_096, 'is too long');
const address = text().refine((value) => isIP(value) !== 0, 'is not an IP address');

const flag = z.preprocess((value) => {
  if (typeof value !== 'string') return value;
  return YES.test(value) ? true : NO.test(value) ? false : value;
}, z.boolean('is neither Y nor N'));

/** A comma list, or several values, or both. */
const list = z.preprocess(
  (value) =>
    (Array.isArray(value) ? value : [value]).flatMap((entry: unknown) =>
      typeof entry === 'string' ? entry.split(',').map((part) => part.trim()).filter((part) => part !== '') : [entry],
    ),
  z.array(text()).max(256, 'has too many entries'),
);

/** Other relays, as clients are told them. */
const relays = list.superRefine((places, context) => {
  for (const place of places)
    try {
      parseHostPort(place, 1);
    } catch {
      context.addIssue({ code: 'custom', message: `is not HOST[:PORT]: ${place}` });
    }
});

const portRange = z.preprocess(
  (value) => {
    const match = typeof value === 'string' ? /^(\d{1,5})-(\d{1,5})$/.exec(value) : null;
    return match ? { first: Number(match[1]), last: Number(match[2]) } : value;
  },
  z
    .object({ first: port(), last: port() }, 'is not a range of ports like 30000-30099')
    .refine((range) => range.first > 0 && range.last >= range.first, 'is not a range of ports like 30000-30099'),
);

/** `PORT`, `ADDR:PORT` or `[V6]:PORT`; an absent address is this computer alone. */
const httpPlace = z.preprocess(
  (value) => {
    const match = /^(?:(?:\[([0-9a-f:.]+)\]|([\d.]+)):)?(\d{1,5})$/i.exec(String(value));
    return match ? { host: match[1] ?? match[2] ?? '127.0.0.1', port: Number(match[3]) } : value;
  },
  z
    .object({ host: z.string(), port: port() }, 'is not [ADDR:]PORT')
    .refine((place) => isIP(place.host) !== 0 && place.port > 0, 'is not [ADDR:]PORT'),
);

const LIMIT_NAMES = Object.keys(DEFAULT_LIMITS) as (keyof ServerLimits)[];

/** `name=value` entries, or an object in the JSON file. */
const limits = z.preprocess((value) => {
  if (typeof value !== 'string' && !Array.isArray(value)) return value;
  const entries = (Array.isArray(value) ? value : [value]).flatMap((entry) => String(entry).split(','));
  return Object.fromEntries(entries.filter((e) => e !== '').map((e) => {
    const at = e.indexOf('=');
    const number = e.slice(at + 1).trim();
    return at < 0 || number === '' ? [e, Number.NaN] : [e.slice(0, at).trim(), Number(number)];
  }));
}, z.record(z.string(), z.number('is not name=number').nonnegative('is below 0'))).superRefine((value, context) => {
  for (const name of Object.keys(value))
    if (!LIMIT_NAMES.some((known) => known === name))
      context.addIssue({ code: 'custom', message: `names no limit: ${name} (known: ${LIMIT_NAMES.join(', ')})` });
}).transform((value) => value as Partial<ServerLimits>);

/** The options; the name in camel case is `--kebab-case` on the command line and LITEDESK_UPPER_CASE in the environment. */
export const ConfigSchema = z.strictObject({
  bind: address.optional().register(info, {
    arg: 'ADDR', short: 'b', stock: ['bind'],
    help: 'listen on one local address only (default: all)',
  }),
  port: rendezvousPort.optional().register(info, {
    arg: 'N', short: 'p', stock: ['port'],
    help: 'rendezvous port, TCP and UDP (default 21116); the NAT test takes the port below it',
  }),
  relayPort: port().optional().register(info, { arg: 'N', help: 'relay port (default: rendezvous port + 1); 0: off' }),
  wsPort: port().optional().register(info, {
    arg: 'N',
    help: 'rendezvous over WebSocket (default: rendezvous port + 2); 0: off',
  }),
  relayWsPort: port().optional().register(info, {
    arg: 'N',
    help: 'relay over WebSocket (default: relay port + 2); 0: off',
  }),
  lobbyPort: lobbyPort.default(0).register(info, {
    arg: '[N]', flags: ['lobby'],
    help: 'lobby for clients of its older protocol (8877 when no port is given; default: off)',
  }),
  singlePort: singlePort.default(0).register(info, {
    arg: '[N]',
    help: 'one TCP port that carries everything, and UDP beside it (443 when no port is given; default: off)',
  }),
  classicPorts: flag.default(true).register(info, {
    arg: 'on|off',
    help: 'off: only the single port, none of those around --port',
  }),
  tlsCert: text().optional().register(info, { arg: 'FILE', help: 'certificate chain (PEM) for TLS, read again when it changes' }),
  tlsKey: text().optional().register(info, { arg: 'FILE', help: 'its private key (PEM)' }),
  trustedProxy: list.default([]).register(info, {
    arg: 'CIDR', many: true,
    help: 'a reverse proxy that is believed about its clients (X-Forwarded-For and its like); may be repeated',
  }),
  proxyProtocol: flag.default(false).register(info, {
    help: 'the listed proxies may name their clients in PROXY headers, versions 1 and 2',
  }),
  publicHost: text().optional().register(info, {
    arg: 'HOST[:PORT]',
    help: 'address of this server for its clients, where it is behind a router or proxy (default: found out); wss://HOST behind a web proxy',
  }),
  secondAddress: address.optional().register(info, {
    arg: 'ADDR',
    help: 'another address of this computer: NAT tests from there show clients more of what their NAT lets in',
  }),
  relay: relays.default([]).register(info, {
    arg: 'HOST[:PORT]', short: 'r', flags: ['relay-servers'], stock: ['relay-servers'], many: true,
    help: 'another relay that clients are sent to; may be repeated, or a comma list',
  }),
  key: text().default('-').register(info, {
    arg: 'KEY', short: 'k', stock: ['key'], emptyCounts: true,
    help: 'what clients must send as key: - or _ for the public key of the pair (default), a secret key, or a text of your own',
  }),
  enrolment: z.enum(['open', 'token', 'approval'], 'is neither open nor token nor approval').default('open').register(info, {
    arg: 'MODE',
    help: 'which new computers may register: open (all, default), token (with an invitation), approval (when you say yes)',
  }),
  keyQuota: wholeNumber(1_000_000).optional().register(info, {
    arg: 'N',
    help: 'new IDs a day that one device key may take; 0: any number (default: 16, with --enrolment open 0)',
  }),
  addressQuota: wholeNumber(1_000_000).optional().register(info, {
    arg: 'N',
    help: 'new IDs a day from one address (default: 301)',
  }),
  alwaysRelay: flag.default(false).register(info, {
    stock: ['always-use-relay'],
    help: 'send every session through the relay, except within one network',
  }),
  openRelay: flag.default(false).register(info, {
    help: 'let anybody with the key use the relay, also for sessions that another server introduces',
  }),
  mask: text().optional().register(info, {
    arg: 'NETWORK/BITS', stock: ['mask'],
    help: 'IPv4 addresses that count as your LAN',
  }),
  localIp: address.optional().register(info, {
    arg: 'ADDR', stock: ['local-ip'],
    help: 'with --mask: the relay address for computers inside it (default: found out)',
  }),
  store: text().optional().register(info, {
    arg: 'URL',
    help: 'where computers are kept: sqlite:FILE (default: in the data folder), or redis://… for several nodes',
  }),
  workers: number(1, 64, 'a number from 1 to 64').default(1).register(info, {
    arg: 'N',
    help: 'processes that share the rendezvous ports (default 1); the first one also is the relay',
  }),
  relayOnly: flag.default(false).register(info, {
    help: 'only a relay, for the servers that share its store, or that name it with --relay and have its key (--key is enough)',
  }),
  relayAddress: text().optional().register(info, {
    arg: 'HOST[:PORT]',
    help: 'with --store redis://…: where clients reach this relay (default: an address of this computer)',
  }),
  importDb: text().optional().register(info, {
    arg: 'FILE', stock: ['db-url'],
    help: 'database of hbbs to take computers over from (default: db_v2.sqlite3 in the data folder)',
  }),
  http: httpPlace.optional().register(info, {
    arg: 'PORT|ADDR:PORT',
    help: 'metrics, health and status page (default: off; without ADDR for programs on this computer only)',
  }),
  metricsPort: port().default(0).register(info, { arg: 'N', help: 'the same as --http 127.0.0.1:N' }),
  logLevel: z.enum(['off', 'warn', 'info', 'debug'], 'is none of off, warn, info, debug').default('info').register(info, {
    arg: 'LEVEL',
    help: 'what is logged to standard error: warn, info (each decision, default), debug (also what was ignored), off',
  }),
  logIds: flag.default(false).register(info, { help: 'whole ids in logs and on the status page (default: masked)' }),
  httpPort: port().default(0).register(info, { arg: 'N', help: 'one port for all published HTTP services, told apart by host name (default: off)' }),
  httpsPort: port().default(0).register(info, {
    arg: 'N',
    help: 'the same for HTTPS: with --tls-cert TLS ends here, services of kind https end it themselves (default: off)',
  }),
  publishPorts: portRange.optional().register(info, { arg: 'LO-HI', help: 'ports for published TCP and UDP services (default: off)' }),
  publishDomain: text().optional().register(info, {
    arg: 'DOMAIN',
    help: 'published HTTP services without a host name of their own get NAME.DOMAIN',
  }),
  publishAllow: list.default([]).register(info, {
    arg: 'ID[=WHERE]', many: true,
    help: 'a computer that may publish, and only there: ports, host names or *.DOMAIN, joined by + (default: all that are registered)',
  }),
  udpBuffer: wholeNumber(1 << 30).default(0).register(info, {
    arg: 'BYTES', short: 'M', flags: ['rmem'], stock: ['rmem'],
    help: 'receive buffer of the UDP port (default: 4 MiB, as far as the system allows)',
  }),
  limit: limits.default({}).register(info, {
    arg: 'NAME=VALUE', many: true,
    help: 'change one of the limits in docs/limits.md; may be repeated',
  }),
  rendezvousServers: list.default([]).register(info, {
    arg: 'LIST', short: 'R', stock: ['rendezvous-servers'],
    help: 'deprecated: server list for clients whose serial is lower than --serial',
  }),
  softwareUrl: text().optional().register(info, {
    arg: 'URL', short: 'u', stock: ['software-url'],
    help: 'deprecated: newest client, told to those that ask; its version stands behind the last - of the name',
  }),
  serial: wholeNumber(2 ** 31 - 1).default(0).register(info, {
    arg: 'N', short: 's', stock: ['serial'],
    help: 'deprecated: serial of that list',
  }),
});

export type ServerConfig = z.output<typeof ConfigSchema>;

/** hbbr's settings that are limits here; `factor` turns its unit into ours (rendezvous §7.6: Mb are 1024² bits). */
export const STOCK_LIMITS: Readonly<Record<string, { limit: keyof ServerLimits; factor: number }>> = {
  'single-bandwidth': { limit: 'relayPairBps', factor: 1024 * 1024 },
  'total-bandwidth': { limit: 'relayTotalBps', factor: 1024 * 1024 },
  'limit-speed': { limit: 'relayLimitedBps', factor: 1024 * 1024 },
  'downgrade-threshold': { limit: 'relayDowngradeShare', factor: 1 },
  'downgrade-start-check': { limit: 'relayDowngradeAfterMs', factor: 1_000 },
};

/** Options of hbbs and hbbr that change nothing here, with the reason that the warning gives. */
export interface IneffectiveOption {
  /** As in the environment. */
  readonly name: string;
  readonly why: string;
}

export const INEFFECTIVE: readonly IneffectiveOption[] = [
  { name: 'test-hbbs', why: 'a UDP socket that fails is opened again, the server need not end itself' },
  { name: 'max-database-connections', why: 'one connection commits many registrations at once' },
  { name: 'rust-log', why: 'the log has its own options' },
];

export interface OptionEntry {
  readonly name: keyof ServerConfig;
  /** Kebab case. */
  readonly flag: string;
  readonly info: OptionInfo;
}

/** All options in the order of the help. */
export const OPTIONS: readonly OptionEntry[] = Object.entries(ConfigSchema.shape).map(([name, schema]) => ({
  name: name as keyof ServerConfig,
  flag: kebab(name),
  info: info.get(schema) ?? { help: '' },
}));

export function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** Port 0 turns the rendezvous off; the single port would still serve it. */
function isRelayOnly(config: ServerConfig): boolean {
  return config.relayOnly || (config.port === 0 && config.singlePort === 0);
}

/** `sqlite:FILE`, or undefined for the file in the data folder. @throws LiteDeskError USAGE */
function sqliteFile(store: string | undefined): string | undefined {
  if (store === undefined || store === '' || isRedisUrl(store)) return undefined;
  const file = /^sqlite:(?:\/\/)?(.+)$/.exec(store)?.[1];
  if (file === undefined) throw configError('--store is neither sqlite:FILE nor redis://….');
  return file;
}

/** What startServer() takes, from what was configured. */
export function serverOptions(config: ServerConfig, dataDir: string): ServerOptions {
  const { tlsCert, tlsKey } = config;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) throw configError('--tls-cert and --tls-key go together.');
  if (!config.classicPorts && config.singlePort === 0) throw configError('--classic-ports off leaves no port: give --single-port too.');
  return {
    dataDir,
    bind: config.bind,
    tls: tlsCert !== undefined && tlsKey !== undefined ? { certFile: tlsCert, keyFile: tlsKey } : undefined,
    trustedProxies: config.trustedProxy,
    proxyProtocol: config.proxyProtocol,
    publicHost: config.publicHost,
    secondAddress: config.secondAddress,
    ports: {
      ...given('rendezvous', !config.classicPorts ? 0 : isRelayOnly(config) && config.port === 0 ? undefined : config.port),
      ...given('relay', config.relayPort),
      ...given('ws', config.wsPort),
      ...given('relayWs', config.relayWsPort),
      lobby: config.lobbyPort,
      single: config.singlePort,
      metrics: config.metricsPort,
      http: config.httpPort,
      https: config.httpsPort,
    },
    relays: config.relay,
    key: config.key,
    enrolment: config.enrolment,
    alwaysRelay: config.alwaysRelay,
    openRelay: config.openRelay,
    mask: config.mask,
    localIp: config.localIp,
    storeUrl: isRedisUrl(config.store) ? config.store : undefined,
    relayOnly: isRelayOnly(config),
    storeFile: sqliteFile(config.store),
    relayAddress: config.relayAddress,
    serial: config.serial,
    rendezvousServers: config.rendezvousServers,
    softwareUrl: config.softwareUrl,
    limits: {
      ...(config.keyQuota === undefined ? {} : { keyIdsPerDay: config.keyQuota }),
      ...(config.addressQuota === undefined ? {} : { addressIds: config.addressQuota }),
      ...config.limit,
    },
    importDb: config.importDb,
    udpReceiveBuffer: config.udpBuffer,
    http: config.http ?? (config.metricsPort > 0 ? { host: '127.0.0.1', port: config.metricsPort } : undefined),
    logIds: config.logIds,
    publish: {
      ports: config.publishPorts,
      domain: publishDomain(config.publishDomain),
      policy: new PublishPolicy(config.publishAllow),
    },
  };
}

/** @throws LiteDeskError USAGE */
function publishDomain(text: string | undefined): string {
  if (text === undefined || text === '') return '';
  const domain = hostName(text.replace(/^\*?\./, ''));
  if (domain === null) throw configError(`--publish-domain ${text} is no domain.`);
  return domain;
}

function given<K extends string>(name: K, value: number | undefined): { [P in K]?: number } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: number });
}

export function configError(message: string): LiteDeskError {
  return new LiteDeskError({ code: 'USAGE', stage: 'usage', message, hint: 'See litedesk server --help.' });
}
