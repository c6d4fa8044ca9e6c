/**
 * The client's address behind a reverse proxy (rendezvous §1.2). The open server believes everybody, so that anybody can
 * appear under any address; here only a proxy that the operator listed may say who is behind it.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { LiteDeskError } from '../core/errors.ts';
import { type HostPort, normalizeHost } from '../core/wire/index.ts';
import { NetworkList } from './network-list.ts';

/** Hops of a forwarded list that are looked at; a real chain has two or three. */
const MAX_HOPS = 32;

/** The proxies that are believed. */
export class TrustedProxies extends NetworkList {
  /** @param cidrs `address` or `address/bits`, IPv4 or IPv6. @throws LiteDeskError BAD_PROXY_ADDRESS */
  constructor(cidrs: readonly string[]) {
    try {
      super(cidrs);
    } catch (error) {
      throw badProxy((error as Error).message);
    }
  }
}

/**
 * The address to use for a WebSocket or HTTP client: what a listed proxy says (then with port 0, since the headers name
 * none), else that of its socket. `X-Real-IP` goes first as with the open server, but one that is no address, or names
 * another listed proxy, does not hide the rest.
 */
export function clientAddress(socket: HostPort, headers: IncomingHttpHeaders, trusted: TrustedProxies): HostPort {
  if (!trusted.has(socket.host)) return socket;
  const real = addressOf(joined(headers['x-real-ip']));
  if (real !== null && !trusted.has(real)) return { host: real, port: 0 };
  const told =
    nearestUntrusted(joined(headers['x-forwarded-for']).split(','), trusted) ??
    nearestUntrusted(forwardedFor(joined(headers.forwarded)), trusted) ??
    real;
  return told === null ? socket : { host: told, port: 0 };
}

/** Whether a request came through some proxy, listed or not: its socket's address then says nothing about its sender. */
export function wasForwarded(headers: IncomingHttpHeaders): boolean {
  return ['x-real-ip', 'x-forwarded-for', 'forwarded', 'via'].some((name) => headers[name] !== undefined);
}

/**
 * From the right: each hop was written by the one behind it, so the first that is no listed proxy is the client as the
 * last believable one saw it. What stands left of it, or of something unreadable, is the client's own word.
 */
function nearestUntrusted(hops: readonly string[], trusted: TrustedProxies): string | null {
  let nearest: string | null = null;
  for (const hop of hops.slice(-MAX_HOPS).toReversed()) {
    const host = addressOf(hop);
    if (host === null) return nearest;
    nearest = host;
    if (!trusted.has(host)) return host;
  }
  return nearest;
}

/** The `for` parameters of RFC 7239. */
function forwardedFor(header: string): string[] {
  if (header === '') return [];
  return header.split(',').map((hop) => {
    const pair = hop.split(';').find((part) => /^\s*for\s*=/i.test(part));
    return pair === undefined ? '' : pair.slice(pair.indexOf('=') + 1).trim().replace(/^"(.*)"$/, '$1');
  });
}

/** A bare address, or one with a port as some proxies write it; null for anything else. */
function addressOf(text: string): string | null {
  const bare = text.trim();
  if (isIP(bare) !== 0) return normalizeHost(bare);
  const withPort = /^(?:\[([0-9a-f:.]+)\](?::\d{1,5})?|(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5})$/i.exec(bare);
  const host = withPort?.[1] ?? withPort?.[2] ?? '';
  return isIP(host) !== 0 ? normalizeHost(host) : null;
}

function joined(header: string | string[] | undefined): string {
  return Array.isArray(header) ? header.join(',') : (header ?? '');
}

function badProxy(text: string): LiteDeskError {
  return new LiteDeskError({
    code: 'BAD_PROXY_ADDRESS',
    stage: 'usage',
    message: `${text} is neither an address nor a network.`,
    hint: 'Give the proxies as address or address/bits, for example 127.0.0.1 or 10.0.0.0/8.',
  });
}
