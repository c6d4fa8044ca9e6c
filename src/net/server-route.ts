/** The way to a server that has everything on one port: frames, or WebSocket, either in TLS where that is asked for. */
import { isIP, isIPv6, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { formatHostPort } from './endpoint.ts';
import { abortError, dialError, dialTimeout } from './errors.ts';
import type { NetLink } from './net-link.ts';
import { type DialOptions, dialTcp } from './tcp.ts';
import { TcpLink } from './tcp-link.ts';
import { dialWebSocket } from './ws.ts';

export interface ServerRoute {
  readonly tls: boolean;
  /** WebSocket from the start; with TLS alone the handshake tells whether a web proxy answers for the server. */
  readonly ws: boolean;
  /** For the certificate and the virtual host. */
  readonly name: string;
  /** Of the WebSocket. */
  readonly path: string;
}

export interface RouteDialOptions extends DialOptions {
  /** Absent: frames over plain TCP. */
  readonly route?: ServerRoute | undefined;
  /** Largest frame taken, in bytes. */
  readonly maxPayload?: number;
}

/** What our servers choose when both sides may speak frames; a web proxy takes the other one, or none. */
const FRAMES_ALPN = 'litedesk';
const DEFAULT_TIMEOUT_MS = 18_000;

/** Connects and returns the link with the local address, as the socket says. Errors: those of dialTcp. */
export async function dialServer(options: RouteDialOptions): Promise<{ link: NetLink; local: { host: string; port: number } }> {
  const { route, maxPayload, ...dial } = options;
  const started = performance.now();
  const tcp = await dialTcp(dial);
  const local = { host: tcp.localAddress ?? '', port: tcp.localPort ?? 0 };
  const framed = (socket: Socket): NetLink => new TcpLink(socket, maxPayload === undefined ? {} : { maxPayload });
  if (!route) return { link: framed(tcp), local };
  const timeoutMs = Math.max(1, (options.timeoutMs ?? DEFAULT_TIMEOUT_MS) - (performance.now() - started));
  const stream = route.tls ? await secure(tcp, route, { ...options, timeoutMs }) : tcp;
  if (!route.ws && !(route.tls && (stream as TLSSocket).alpnProtocol !== FRAMES_ALPN)) return { link: framed(stream), local };
  const host = isIPv6(route.name) ? `[${route.name}]` : route.name;
  const link = await dialWebSocket(`ws://${host}:${options.port}${route.path}`, {
    socket: stream,
    timeoutMs,
    ...(maxPayload === undefined ? {} : { maxPayload }),
    ...(options.signal ? { signal: options.signal } : {}),
    ...(options.stage ? { stage: options.stage } : {}),
  });
  return { link, local };
}

/**
 * TLS as a way through firewalls and web proxies. The certificate is not checked on purpose: a server of one's own has
 * often none that the world knows, and nothing depends on it. Who the other computer is, is signed with the server's key,
 * which the user set, and sessions are encrypted end to end.
 */
function secure(tcp: Socket, route: ServerRoute, options: RouteDialOptions & { timeoutMs: number }): Promise<TLSSocket> {
  const { signal, stage = 'server', timeoutMs } = options;
  const target = formatHostPort(options);
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      tls.removeAllListeners('error').on('error', () => {});
      done();
    };
    const fail = (error: Error): void =>
      settle(() => {
        tls.destroy();
        tcp.destroy();
        reject(error);
      });
    const onAbort = (): void => fail(abortError(signal as AbortSignal, stage));
    const timer = setTimeout(() => fail(dialTimeout(target, stage)), timeoutMs);
    const tls = connectTls({
      socket: tcp,
      ALPNProtocols: [FRAMES_ALPN, 'http/1.1'],
      rejectUnauthorized: false,
      minVersion: 'TLSv1.2',
      ...(isIP(route.name) === 0 ? { servername: route.name } : {}),
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    tls.once('error', (error) => fail(dialError(error, target, stage)));
    tls.once('close', () => fail(dialError(Object.assign(new Error('closed'), { code: 'ECONNRESET' }), target, stage)));
    tls.once('secureConnect', () => {
      tls.removeAllListeners('close');
      settle(() => resolve(tls));
    });
    if (signal?.aborted) onAbort();
  });
}
