/**
 * What of an HTTP request may go on to a published service, and under which name it came. A request that two programs could
 * read in two ways is nobody's: what one of them takes for a body is the next request to the other (smuggling).
 */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { hostOfHeader } from '../../core/publish/index.ts';
import type { TrustedProxies } from '../proxy-address.ts';
import type { HttpOrigin } from '../one-port/web-front.ts';

/** RFC 9110 §7.6.1, with those that were used before it. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'http2-settings', 'expect'],
]);
/** Only a proxy may say these, or we. */
const FORWARDED: ReadonlySet<string> = new Set([
  ...['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-server'],
  ...['x-forwarded-ssl', 'x-forwarded-prefix', 'x-real-ip', 'x-client-ip', 'true-client-ip', 'cf-connecting-ip'],
]);

export interface PublicRequest {
  /** In its one form. */
  readonly host: string;
  /** Path and query, as they go on. */
  readonly path: string;
}

/** Null for a request that is not clear, or asks for something that is no resource here. The parser has been strict already. */
export function readRequest(request: IncomingMessage): PublicRequest | null {
  const { headers, rawHeaders, url = '', method } = request;
  const count = (name: string): number => rawHeaders.filter((entry, at) => at % 2 === 0 && entry.toLowerCase() === name).length;
  if (count('host') !== 1 || count('content-length') > 1 || count('transfer-encoding') > 1) return null;
  const encoding = headers['transfer-encoding'];
  // One length only, and no coding that one of two parsers might not know.
  if (encoding !== undefined && (encoding.toLowerCase() !== 'chunked' || headers['content-length'] !== undefined)) return null;
  if (encoding !== undefined && request.httpVersion !== '1.1') return null;
  const host = hostOfHeader(headers.host ?? '');
  if (host === null) return null;
  if (url.startsWith('/')) return { host, path: url };
  if (url === '*' && method === 'OPTIONS') return { host, path: url };
  const absolute = /^https?:\/\/([^/?#]*)([/?].*)?$/i.exec(url);
  if (!absolute || hostOfHeader(absolute[1] ?? '') !== host) return null;
  const path = absolute[2] ?? '/';
  return { host, path: path.startsWith('?') ? `/${path}` : path };
}

export interface ForwardOptions {
  readonly origin: HttpOrigin;
  /** Address of the socket: what a listed proxy says is kept, and added to. */
  readonly socketHost: string;
  readonly proxies: TrustedProxies;
  /** User and password were for us. */
  readonly dropAuthorization: boolean;
  readonly upgrade: boolean;
  /** The connection may serve another request. */
  readonly keep: boolean;
}

/** The header fields of the request as they go on. */
export function requestHeaders(request: IncomingMessage, options: ForwardOptions): OutgoingHttpHeaders {
  const { origin, socketHost, proxies, dropAuthorization, upgrade, keep } = options;
  const listed = proxies.has(socketHost);
  const ownHops = connectionOptions(request.headers.connection);
  const headers = collect(request.rawHeaders, (name) => {
    // Many programs behind us cannot tell `_` from `-`.
    const plain = name.replaceAll('_', '-');
    if (HOP_BY_HOP.has(plain) || ownHops.has(name)) return false;
    if (FORWARDED.has(plain)) return listed && plain === name;
    return !(dropAuthorization && plain === 'authorization');
  });
  const hops = [request.headers['x-forwarded-for'], socketHost].filter((hop) => listed || hop === socketHost).flat();
  headers['X-Forwarded-For'] = hops.filter((hop) => hop !== undefined).join(', ');
  if (!listed || headers['x-forwarded-proto'] === undefined) headers['X-Forwarded-Proto'] = origin.tls ? 'https' : 'http';
  if (!listed || headers['x-forwarded-host'] === undefined) headers['X-Forwarded-Host'] = request.headers.host ?? '';
  delete headers['x-forwarded-for'];
  if (request.headers['transfer-encoding'] !== undefined) headers['Transfer-Encoding'] = 'chunked';
  headers.Connection = upgrade ? 'Upgrade' : keep ? 'keep-alive' : 'close';
  if (upgrade) headers.Upgrade = 'websocket';
  return headers;
}

/** Methods that change nothing (RFC 9110 §9.2.1): asked twice they do no harm. */
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
}

/**
 * Whether the request may go over a connection that others used, which may end just then, so that it has to be asked again. What has
 * a body may not: a program that does not read it takes it for the next request.
 */
export function mayShareConnection(request: IncomingMessage): boolean {
  return SAFE_METHODS.has(request.method ?? '') && !hasBody(request);
}

/** ms for which the connection may be kept after this answer; 0: who comes next could get the rest of this one. */
export function keepMsAfter(request: IncomingMessage, response: IncomingMessage): number {
  const lengths = response.rawHeaders.filter((entry, at) => at % 2 === 0 && /^(content-length|transfer-encoding)$/i.test(entry));
  const encoding = response.headers['transfer-encoding'] ?? 'chunked';
  const clear = response.httpVersion === '1.1' && lengths.length <= 1 && encoding.toLowerCase() === 'chunked';
  // To HEAD some programs send a body all the same.
  if (!clear || !mayShareConnection(request) || request.method === 'HEAD') return 0;
  const timeoutS = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(String(response.headers['keep-alive'] ?? ''))?.[1];
  // It ends there when the time is over, and what is sent just then is lost.
  return timeoutS === undefined ? Number.POSITIVE_INFINITY : Math.max(0, Number(timeoutS) - 1) * 1000;
}

/** The header fields of an answer as they go back. */
export function responseHeaders(response: IncomingMessage): OutgoingHttpHeaders {
  const ownHops = connectionOptions(response.headers.connection);
  return collect(response.rawHeaders, (name) => !HOP_BY_HOP.has(name) && !ownHops.has(name));
}

/** Whether it asks for a WebSocket; other protocols are not carried on. */
export function isWebSocket(request: IncomingMessage): boolean {
  return (
    request.method === 'GET' &&
    request.headers.upgrade?.toLowerCase() === 'websocket' &&
    connectionOptions(request.headers.connection).has('upgrade')
  );
}

/** What a Connection field names: fields for this hop only. Never those that say where the body ends. */
function connectionOptions(value: string | undefined): Set<string> {
  const names = (value ?? '').split(',').map((name) => name.trim().toLowerCase());
  return new Set(names.filter((name) => name !== 'content-length' && name !== 'host'));
}

/** Fields by lower-case name, with all their values, in order. */
function collect(raw: readonly string[], keep: (name: string) => boolean): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at]?.toLowerCase() ?? '';
    const value = raw[at + 1] ?? '';
    if (!keep(name)) continue;
    const before = headers[name];
    headers[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return headers;
}
