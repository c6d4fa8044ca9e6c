/**
 * Tunnels and what others may reach, as the user defines them: one schema for the settings file, for what crosses between
 * the processes, and for the forms that edit them.
 */
import { z } from './zod.ts';

/** Tunnels of one computer; each has a listener and perhaps a connection of its own. */
export const MAX_TUNNELS = 100;
/** Rules of one computer; more than a person can keep in view. */
export const MAX_RULES = 200;
/** Longest host name that the DNS knows. */
const MAX_HOST = 253;
/** Longest name that people give; it is shown on one line. */
const MAX_LABEL = 80;
const MAX_SECRET = 128;
/** Programs behind a published service beside the first (core/publish/limits.ts). */
const MAX_MORE_PROGRAMS = 31;
/** Networks of an allow-list (ditto). */
const MAX_ALLOW = 64;
const MAX_HEALTH_PATH = 300;

/** A name, an IPv4 address, or an IPv6 address without brackets. */
const HOST = /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?|[0-9a-f:.]*:[0-9a-f:.]*(?:%[a-z0-9]+)?)$/i;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)$/;

/** Of a tunnel or a rule; made by the window that adds it. */
export const entryId = z.string().min(1).max(64);
const label = z.string().max(MAX_LABEL);
const peer = z.string().min(1).max(300).regex(/^\S+$/);
const port = z.number().int().min(1).max(65_535);

/** True for anything that can be dialled by name or address; names are not looked up. */
export function isHost(text: string): boolean {
  if (!HOST.test(text)) return false;
  if (/^[\d.]+$/.test(text)) return IPV4.test(text);
  return !text.includes(':') || isIPv6(text);
}

/** True for an address or a network such as `203.0.113.0/24`; no names. */
function isNetwork(text: string): boolean {
  const [address = ''] = text.split('/');
  return isHostPattern(text) && (IPV4.test(address) || (address.includes(':') && !address.includes('%')));
}

/** True for `*`, a host, or a network such as `192.168.1.0/24`. */
export function isHostPattern(text: string): boolean {
  if (text === '*') return true;
  const [address = '', prefix, ...rest] = text.split('/');
  if (rest.length > 0) return false;
  if (prefix === undefined) return isHost(address);
  if (!/^\d{1,3}$/.test(prefix)) return false;
  if (IPV4.test(address)) return Number(prefix) <= 32;
  return address.includes(':') && isHost(address) && Number(prefix) <= 128;
}

function isIPv6(text: string): boolean {
  const [plain = ''] = text.split('%');
  const halves = plain.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1) ?? '';
  const mapped = IPV4.test(last);
  const plainGroups = mapped ? groups.slice(0, -1) : groups;
  const count = plainGroups.length + (mapped ? 2 : 0);
  return plainGroups.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) && (halves.length === 2 ? count < 8 : count === 8);
}

const host = z.string().max(MAX_HOST).refine(isHost);
/** A program that is reached from this computer. */
const endpoint = z.object({ host, port });
/** Who may use the listener: programs of this computer, or everybody in its network. */
const listen = {
  listenOn: z.enum(['this-computer', 'network']),
  /** 0: any free port. */
  listenPort: z.number().int().min(0).max(65_535),
};
/** What every tunnel has. `run`: it comes up with the app. */
const common = { id: entryId, name: label, run: z.boolean() };

const FORWARD_KINDS = ['tcp', 'udp', 'rdp', 'vnc'] as const;
export const PUBLISH_PROTOCOLS = ['tcp', 'udp', 'http', 'https'] as const;

/** Connections to a port here are made from the other computer to `host:port`. */
const forwardSchema = z.object({ ...common, ...listen, kind: z.enum(FORWARD_KINDS), peer, host, port });
/** An HTTP and SOCKS5 proxy here; the connections leave from the other computer. */
const proxySchema = z.object({ ...common, ...listen, kind: z.literal('proxy'), peer, user: z.string().max(MAX_SECRET) });
/** A service that this computer reaches, offered on the server's public side. */
export const publishSchema = z.object({
  ...common,
  kind: z.literal('publish'),
  protocol: z.enum(PUBLISH_PROTOCOLS),
  host,
  port,
  /** For `tcp` and `udp`; 0 lets the server choose one. */
  publicPort: z.number().int().min(0).max(65_535),
  /** For `http` and `https`. */
  publicHost: z.string().max(MAX_HOST),
  /** Further programs, which answer in turn with the first. */
  more: z.array(endpoint).max(MAX_MORE_PROGRAMS).default([]),
  /** Addresses and networks that may connect; none: all. */
  allow: z.array(z.string().max(MAX_HOST).refine(isNetwork)).max(MAX_ALLOW).default([]),
  /** Of visitors of an `http` service, who have to give it with a password; '': nobody is asked. */
  user: z.string().max(MAX_SECRET).regex(/^[^:]*$/).default(''),
  /** Whether programs that do not answer are left out: `tcp` takes a connection, a path is an HTTP page. '': nobody looks. */
  health: z.union([z.literal(''), z.literal('tcp'), z.string().max(MAX_HEALTH_PATH).regex(/^\/[!-~]*$/)]).default(''),
  /** At once, from everywhere; 0: as many as the server takes. */
  maxConnections: z.number().int().min(0).max(100_000).default(0),
  /** Both directions together; 0: the server's limit. */
  bandwidthMbps: z.number().min(0).max(100_000).default(0),
});
export const tunnelSchema = z.discriminatedUnion('kind', [forwardSchema, proxySchema, publishSchema]);

/** What a tunnel needs and no window ever gets back: `proxyPassword` is asked of those who use it. Absent: as it was. */
export const tunnelSecretsSchema = z
  .object({ peerPassword: z.string().max(MAX_SECRET), proxyPassword: z.string().max(MAX_SECRET) })
  .partial()
  .strict();

/** The same as it is kept: a password is there until it let us in, and then h1 of session §2.4 in hex. */
export const storedSecretsSchema = tunnelSecretsSchema.extend({ peerPasswordHash: z.string().max(128).optional() });

/** What a peer may reach through this computer. Nothing is allowed that no rule allows. */
export const ruleSchema = z
  .object({
    id: entryId,
    /** Empty: everybody who can sign in here. */
    peer: z.union([z.literal(''), peer]),
    kind: z.enum(['tcp', 'udp', 'any']),
    host: z.string().max(MAX_HOST + 4).refine(isHostPattern),
    firstPort: port,
    lastPort: port,
  })
  .refine((rule) => rule.firstPort <= rule.lastPort, { path: ['lastPort'] });

export type ForwardTunnel = z.infer<typeof forwardSchema>;
export type PublishTunnel = z.infer<typeof publishSchema>;
export type Tunnel = z.infer<typeof tunnelSchema>;
export type TunnelKind = Tunnel['kind'];
export type TunnelSecrets = z.infer<typeof tunnelSecretsSchema>;
export type StoredSecrets = z.infer<typeof storedSecretsSchema>;
export type AccessRule = z.infer<typeof ruleSchema>;
