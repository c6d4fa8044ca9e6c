/** What the server answers over HTTP: metrics, health, and the status page. The same on a port of its own and in one-port mode. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Counters } from '../counters.ts';
import { type HttpAccess, mayRead } from './http-access.ts';
import type { Metrics } from './metrics.ts';
import type { Readiness } from './ready.ts';
import type { StatusStream } from './status-stream.ts';
import { STATUS_CSS, STATUS_HTML, STATUS_JS } from './page/index.ts';

/** Answers a request that is for the server itself; false: it is not, and nothing was written. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface HttpHandlerParts {
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly status: StatusStream;
  readonly counters: Counters;
}

/** Nothing from elsewhere, no frames, no inline code: the page is three files of this server. */
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SAFE_HEADERS = {
  'Content-Security-Policy': CSP,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cache-Control': 'no-store',
} as const;

const ASSETS: Readonly<Record<string, { type: string; body: string }>> = {
  '/': { type: 'text/html; charset=utf-8', body: STATUS_HTML },
  '/status': { type: 'text/html; charset=utf-8', body: STATUS_HTML },
  '/status.js': { type: 'text/javascript; charset=utf-8', body: STATUS_JS },
  '/status.css': { type: 'text/css; charset=utf-8', body: STATUS_CSS },
};

/** @param access who may see metrics and status; health is for everybody, and says no more than that */
export function createHttpHandler(parts: HttpHandlerParts, access: HttpAccess): HttpHandler {
  const { metrics, readiness, status, counters } = parts;

  const guarded = (request: IncomingMessage, response: ServerResponse, work: () => void): void => {
    if (mayRead(request, access)) return work();
    counters.count('http-unauthorised', { from: request.socket.remoteAddress });
    reply(response, 401, 'text/plain; charset=utf-8', 'The token of this server is needed.\n', { 'WWW-Authenticate': 'Bearer' });
  };

  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const asset = Object.hasOwn(ASSETS, path) ? ASSETS[path] : undefined;
    const known = asset !== undefined || ['/metrics', '/healthz', '/readyz', '/status/events'].includes(path);
    if (!known) return false;
    response.on('error', () => response.destroy());
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      reply(response, 405, 'text/plain; charset=utf-8', 'Only GET.\n', { Allow: 'GET, HEAD' });
      return true;
    }
    if (asset) reply(response, 200, asset.type, asset.body);
    else if (path === '/healthz') reply(response, 200, 'text/plain; charset=utf-8', 'ok\n');
    else if (path === '/readyz')
      void readiness.check().then((report) => {
        // What exactly fails is the operator's business; the stage alone says where to look.
        const { ok, failed, at } = report;
        const body = mayRead(request, access) ? report : { ok, failed, at };
        reply(response, ok ? 200 : 503, 'application/json', `${JSON.stringify(body)}\n`);
      });
    else if (path === '/metrics')
      guarded(request, response, () => {
        void metrics.text().then(
          (text) => reply(response, 200, metrics.contentType, text),
          () => reply(response, 500, 'text/plain; charset=utf-8', 'The numbers could not be read.\n'),
        );
      });
    else
      guarded(request, response, () => {
        if (request.method === 'HEAD') reply(response, 200, 'text/event-stream', '');
        else if (!status.open(response, SAFE_HEADERS)) reply(response, 503, 'text/plain; charset=utf-8', 'Too many status pages are open.\n');
      });
    return true;
  };
}

function reply(response: ServerResponse, code: number, type: string, body: string, extra: Record<string, string> = {}): void {
  if (response.destroyed || response.headersSent) return;
  const bytes = Buffer.from(body);
  response.writeHead(code, { ...SAFE_HEADERS, ...extra, 'Content-Type': type, 'Content-Length': bytes.length });
  // Node leaves the body of an answer to HEAD out.
  response.end(bytes);
}
