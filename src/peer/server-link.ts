/**
 * A link to a server's TCP port, or to its WebSocket two ports above where the network lets nothing else through
 * (rendezvous §1, §9.6).
 */
import { isIPv6 } from 'node:net';
import type { HostPort } from '../core/wire/index.ts';
import { dialServer as dialRoute, formatHostPort } from '../net/index.ts';
import type { NetLink, ServerRoute } from '../net/index.ts';
import { dialWebSocket } from '../net/ws.ts';

/** A TCP connection that is not there after this time gets the WebSocket beside it; most are there after one round trip. */
const WEBSOCKET_AFTER_MS = 800;
/** Of 1,000 connects on a line that loses one packet in ten, one waits a second. */
const DIAL_REPEATS = 2;
/** rendezvous §1: the WebSocket of both servers. */
const WEBSOCKET_PORT_OFFSET = 2;

export interface ServerLinkOptions {
  readonly address: HostPort;
  /** Where everything is on one port, which says itself whether it is WebSocket. */
  readonly route?: ServerRoute | undefined;
  /** Largest payload taken, in bytes. */
  readonly maxPayload: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** As of dialTcp. */
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly reusable?: boolean;
  /** False: TCP or nothing, because the local port matters. */
  readonly webSocket: boolean;
}

export interface ServerLink {
  readonly link: NetLink;
  readonly local: HostPort;
}

/** Errors: those of dialTcp, for TCP; that the WebSocket failed too adds nothing. */
export async function dialServer(options: ServerLinkOptions): Promise<ServerLink> {
  if (!options.webSocket || options.route) return await byTcp(options, options.signal);
  return await new Promise<ServerLink>((resolve, reject) => {
    const abort = new AbortController();
    const signal = AbortSignal.any([options.signal, abort.signal]);
    let failures = 0;
    let tcpError: unknown;
    let started = false;
    let settled = false;
    const settle = (done: () => void): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      done();
      abort.abort();
    };
    const won = (result: ServerLink): void => {
      if (settled) result.link.destroy();
      else settle(() => resolve(result));
    };
    const lost = (): void => {
      failures++;
      if (failures === 2 || options.signal.aborted) settle(() => reject(tcpError));
    };
    const startWebSocket = (): void => {
      if (started || settled) return;
      started = true;
      byWebSocket(options, signal).then(won, lost);
    };
    const timer = setTimeout(startWebSocket, WEBSOCKET_AFTER_MS);
    byTcp(options, signal).then(won, (error: unknown) => {
      tcpError = error;
      startWebSocket();
      lost();
    });
  });
}

function byTcp(options: ServerLinkOptions, signal: AbortSignal): Promise<ServerLink> {
  const { address, route, timeoutMs, localAddress, localPort, reusable, maxPayload } = options;
  return dialRoute({
    ...address,
    route,
    maxPayload,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(localPort ? { localPort } : {}),
    ...(reusable ? { reusable } : {}),
    repeats: DIAL_REPEATS,
    timeoutMs,
    signal,
  });
}

async function byWebSocket(options: ServerLinkOptions, signal: AbortSignal): Promise<ServerLink> {
  const { host, port } = options.address;
  const link = await dialWebSocket(`ws://${formatHostPort({ host, port: port + WEBSOCKET_PORT_OFFSET })}/`, {
    timeoutMs: options.timeoutMs,
    maxPayload: options.maxPayload,
    signal,
  });
  // Nothing can be dialled from or listened on beside a WebSocket: its port is nobody's business.
  return { link, local: { host: isIPv6(host) ? '::' : '0.0.0.0', port: 0 } };
}
