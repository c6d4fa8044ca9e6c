import { lookup } from 'node:dns/promises';
import { isIP, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { domainToASCII } from 'node:url';
import { LiteDeskError } from '../core/errors.ts';
import type { HostPort } from '../core/wire/address.ts';
import { abortError } from './errors.ts';

/** A resolver that does not answer is given up after this long. */
const DNS_TIMEOUT_MS = 5000;

/** A name with more addresses than this is not worth trying out to the end. */
const MAX_ADDRESSES = 16;

function badAddress(text: string): LiteDeskError {
  return new LiteDeskError({
    code: 'BAD_ADDRESS',
    stage: 'usage',
    message: `“${text.slice(0, 300)}” is not an address.`,
    hint: 'Write host:port, for example desk.example.org:21116 or [2001:db8::1]:21116.',
  });
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\.?$/i;

/**
 * Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address. Ports are 1…65535.
 * Throws LiteDeskError BAD_ADDRESS when the text is none of these or has no port and there is no default.
 */
export function parseHostPort(text: string, defaultPort?: number): HostPort {
  const input = text.trim();
  let host = input;
  let portText: string | undefined;
  const bracket = /^\[([^\]]*)\](?::(.*))?$/.exec(input);
  if (bracket) {
    host = bracket[1] ?? '';
    portText = bracket[2];
    if (!isIPv6(host)) throw badAddress(text);
  } else if (!isIPv6(input)) {
    const colon = input.lastIndexOf(':');
    if (colon >= 0) {
      host = input.slice(0, colon);
      portText = input.slice(colon + 1);
    }
    // Names in other scripts go to the resolver in their ASCII form.
    if (!/^[\x21-\x7e]*$/.test(host)) host = domainToASCII(host);
    if (isIP(host) !== 4 && !isHostName(host)) throw badAddress(text);
  }
  if (portText === undefined) {
    if (defaultPort === undefined) throw badAddress(text);
    return { host, port: defaultPort };
  }
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65535) throw badAddress(text);
  return { host, port };
}

/** A DNS name. `1.2.3` or `999.1.1.1` is a mistyped address and not a name. */
function isHostName(host: string): boolean {
  return HOST_NAME.test(host) && !/^[\d.]+$/.test(host);
}

/** `host:port`, with brackets around an IPv6 address. */
export function formatHostPort(address: HostPort): string {
  return isIPv6(address.host) ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** `::ffff:a.b.c.d` as a dual-stack socket reports it is `a.b.c.d` for everybody else. */
export function plainAddress(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return mapped?.[1] ?? address;
}

export interface ResolveOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
  /** In place of the system's resolver; `signal` tells that nobody waits any more. */
  lookup?: (host: string, signal: AbortSignal) => Promise<readonly { readonly address: string }[]>;
}

/** Threads for what the system has no other way for, names among it: with Node's four, a few names that nobody answers for hold everything up. */
export const THREADS = 16;

/**
 * All addresses of a name, in the order of the system, at most 16. An IP literal is its own answer.
 * Throws LiteDeskError DNS_FAILED (stage `dns`), or ABORTED.
 */
export async function resolveHost(host: string, options: ResolveOptions = {}): Promise<string[]> {
  const { signal, timeoutMs = DNS_TIMEOUT_MS, lookup: ask = (name) => lookup(name, { all: true }) } = options;
  if (signal?.aborted) throw abortError(signal, 'dns');
  if (isIP(host)) return [host];
  const failed = (why: string, cause?: unknown): LiteDeskError =>
    new LiteDeskError(
      {
        code: 'DNS_FAILED',
        stage: 'dns',
        message: `The name ${host} could not be resolved (${why}).`,
        hint: 'Check the spelling of the server address and the network connection of this computer.',
      },
      { cause },
    );
  // getaddrinfo cannot be cancelled: whoever waits is let go, and the late answer is dropped.
  const over = new AbortController();
  return await new Promise<string[]>((resolve, reject) => {
    const timer = setTimeout(() => finish(() => reject(failed('no answer in time'))), timeoutMs);
    const onAbort = (): void => finish(() => reject(abortError(signal as AbortSignal, 'dns')));
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      over.abort();
      settle();
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    ask(host, over.signal).then(
      (found) => {
        const addresses = [...new Set(found.map((entry) => entry.address))].slice(0, MAX_ADDRESSES);
        finish(() => (addresses.length > 0 ? resolve(addresses) : reject(failed('no address'))));
      },
      (error: unknown) =>
        finish(() => reject(failed(error instanceof Error ? error.message : String(error), error))),
    );
  });
}

export interface LocalInterface {
  readonly name: string;
  readonly address: string;
  readonly netmask: string;
  /** The directed broadcast address of the network. */
  readonly broadcast: string;
  /** `aa:bb:cc:dd:ee:ff` in lower case. */
  readonly mac: string;
  readonly internal: boolean;
}

/** The IPv4 addresses of this machine, one entry each; those of the loopback only when asked for. */
export function localIPv4Interfaces(options: { loopback?: boolean } = {}): LocalInterface[] {
  const found: LocalInterface[] = [];
  for (const [name, addresses] of Object.entries(networkInterfaces()))
    for (const entry of addresses ?? []) {
      if (entry.family !== 'IPv4' || (entry.internal && !options.loopback)) continue;
      const mask = ipv4Number(entry.netmask);
      found.push({
        name,
        address: entry.address,
        netmask: entry.netmask,
        broadcast: ipv4Text((ipv4Number(entry.address) & mask) | ~mask),
        mac: entry.mac.toLowerCase(),
        internal: entry.internal,
      });
    }
  return found;
}

/** The interface whose network contains `address`: the narrowest, or undefined when it is not on a local network. */
export function interfaceFacing(
  address: string,
  interfaces: readonly LocalInterface[] = localIPv4Interfaces({ loopback: true }),
): LocalInterface | undefined {
  const plain = plainAddress(address);
  if (isIP(plain) !== 4) return undefined;
  const target = ipv4Number(plain);
  let best: LocalInterface | undefined;
  for (const entry of interfaces) {
    const mask = ipv4Number(entry.netmask);
    if (((ipv4Number(entry.address) ^ target) & mask) !== 0) continue;
    if (!best || ipv4Number(entry.netmask) >>> 0 > ipv4Number(best.netmask) >>> 0) best = entry;
  }
  return best;
}

/** The hardware address of the interface facing `address`, or an empty text. */
export function macFacing(address: string): string {
  const mac = interfaceFacing(address)?.mac ?? '';
  return mac === '00:00:00:00:00:00' ? '' : mac;
}

/** True for literals that mean nothing outside: loopback, private, link-local, carrier NAT, unspecified. */
export function isPrivateHost(host: string): boolean {
  const plain = plainAddress(host.replace(/^\[|\]$/g, '')).toLowerCase();
  if (isIP(plain) === 4) {
    const [a = 0, b = 0] = plain.split('.').map(Number);
    return (
      a === 10 ||
      a === 127 ||
      a === 0 ||
      (a === 172 && b >= 16 && b <= 31) ||
      (a === 192 && b === 168) ||
      (a === 169 && b === 254) ||
      (a === 100 && b >= 64 && b <= 127)
    );
  }
  if (isIP(plain) === 6) return plain === '::' || plain === '::1' || /^f[cd]|^fe[89ab]/.test(plain);
  return plain === 'localhost' || plain.endsWith('.localhost') || plain.endsWith('.local');
}

function ipv4Number(text: string): number {
  return text.split('.').reduce((value, part) => (value << 8) | (Number(part) & 255), 0);
}

function ipv4Text(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
}
