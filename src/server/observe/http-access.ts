/**
 * Who may see the numbers: with a token, who shows it; without one, programs on this very computer. A reverse proxy on
 * this computer also comes from loopback, with other people's requests, so a request that was forwarded, or that names
 * another host (a web page that points its own name at 127.0.0.1), is no local one.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { normalizeHost } from '../../core/wire/index.ts';
import { isLoopback } from '../peer-table.ts';

export interface HttpAccess {
  /** '' : no token, only loopback. */
  readonly token: string;
  /** False for requests that came over a port which is open to others, where a proxy may stand in front. */
  readonly trustLoopback: boolean;
}

const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'x-forwarded-host', 'via'] as const;

export function mayRead(request: IncomingMessage, access: HttpAccess): boolean {
  if (access.token !== '') return sameToken(bearer(request.headers.authorization), access.token);
  if (!access.trustLoopback || !isLoopback(normalizeHost(request.socket.remoteAddress ?? ''))) return false;
  if (FORWARDED.some((name) => request.headers[name] !== undefined)) return false;
  return isLocalName(request.headers.host ?? '');
}

/** `Authorization: Bearer TOKEN`, as Prometheus and the status page send it; '' for anything else. */
function bearer(header: string | undefined): string {
  return /^Bearer ([\x21-\x7e]{1,512})$/i.exec(header ?? '')?.[1] ?? '';
}

/** Digests are compared, so that the time says nothing about the token, not even its length. */
function sameToken(given: string, token: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return given !== '' && timingSafeEqual(digest(given), digest(token));
}

function isLocalName(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return name === 'localhost' || name === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(name);
}
