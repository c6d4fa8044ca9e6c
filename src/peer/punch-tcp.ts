/**
 * TCP hole punching (rendezvous §9.3, §9.7, §12.1). The controlled side leaves its dial towards the controller pending,
 * so that the two dials meet in a simultaneous open; where the other side answers with RST it listens on the same port.
 */
import { createServer, isIPv6 } from 'node:net';
import type { Server, Socket } from 'node:net';
import type { HostPort } from '../core/wire/index.ts';
import { dialTcp } from '../net/index.ts';
import { aborted, punchFailed, systemCode } from './errors.ts';

/** How long each side waits for the other (upstream: CONNECT_TIMEOUT). */
export const PUNCH_TIMEOUT_MS = 18_000;
/** Pauses between dials after a refusal: the other side may be about to listen; the last one is repeated. */
const REDIAL_MS = [5, 20, 60] as const;
/** Refused dials in a row after which a direct path is given up. */
const MAX_REDIALS = 25;

/**
 * How long the controlled side waits for an early refusal before it names the hole: so many round trips to the server. A
 * controller that is farther than these answers too late for any wait that is worth it.
 */
const EARLY_REFUSAL = { roundTrips: 2, minMs: 2, maxMs: 6 } as const;

/** Accepts one connection on `local`, from `onlyFrom` where given. */
export function acceptOne(
  local: HostPort,
  options: { timeoutMs: number; signal: AbortSignal; onlyFrom?: string; onListening?: () => void },
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const server: Server = createServer({ noDelay: true, keepAlive: true });
    const finish = (error: Error | null, socket?: Socket): void => {
      clearTimeout(timer);
      options.signal.removeEventListener('abort', onAbort);
      server.close();
      if (socket) resolve(socket);
      else reject(error ?? punchFailed('nobody connected'));
    };
    const timer = setTimeout(() => finish(punchFailed('nobody connected in time')), options.timeoutMs);
    const onAbort = (): void => finish(aborted());
    options.signal.addEventListener('abort', onAbort, { once: true });
    server.on('error', (error) => finish(error));
    server.on('connection', (socket) => {
      const from = socket.remoteAddress?.replace(/^::ffff:/i, '') ?? '';
      if (options.onlyFrom !== undefined && from !== options.onlyFrom) socket.destroy();
      else finish(null, socket);
    });
    server.listen({ host: local.host, port: local.port, exclusive: false }, options.onListening);
    if (options.signal.aborted) onAbort();
  });
}

/**
 * Controlled side: dials `remote` from `localPort` and keeps the dial pending; listens on the port when the dial is
 * refused. `opened` is called as soon as the hole can be named to the controller.
 */
export async function punchTcpAsControlled(options: {
  remote: HostPort;
  localPort: number;
  /** To the server, in ms. */
  rttMs: number;
  signal: AbortSignal;
  opened: () => void;
}): Promise<Socket> {
  const { remote, localPort, rttMs, signal } = options;
  const wildcard = isIPv6(remote.host) ? '::' : '0.0.0.0';
  let announced = false;
  const announce = (): void => {
    if (!announced) options.opened();
    announced = true;
  };
  // A refusal comes back within a round trip; waiting a moment for it means that the controller's dial finds the
  // listener instead of a closed port. Where the dial is dropped nothing comes, and the hole is open already.
  const { roundTrips, minMs, maxMs } = EARLY_REFUSAL;
  const early = setTimeout(announce, Math.min(maxMs, Math.max(minMs, roundTrips * rttMs)));
  try {
    const deadline = performance.now() + PUNCH_TIMEOUT_MS;
    try {
      return await dialTcp({
        host: remote.host,
        port: remote.port,
        localAddress: wildcard,
        localPort,
        timeoutMs: PUNCH_TIMEOUT_MS,
        signal,
      });
    } catch (error) {
      if (signal.aborted) throw aborted();
      const timeoutMs = deadline - performance.now();
      if (timeoutMs <= 0) throw error;
      return await acceptOne(
        { host: wildcard, port: localPort },
        { timeoutMs, signal, onlyFrom: remote.host, onListening: announce },
      );
    }
  } finally {
    clearTimeout(early);
    announce();
  }
}

/** Controller side: dials the hole from the port that the server saw, again after each refusal. */
export async function punchTcpAsController(options: {
  remote: HostPort;
  localPort: number;
  timeoutMs: number;
  signal: AbortSignal;
}): Promise<Socket> {
  const { remote, localPort, timeoutMs, signal } = options;
  const wildcard = isIPv6(remote.host) ? '::' : '0.0.0.0';
  const deadline = performance.now() + timeoutMs;
  for (let attempt = 0; ; attempt++) {
    const pauseMs = REDIAL_MS[Math.min(attempt, REDIAL_MS.length - 1)] as number;
    try {
      return await dialTcp({
        host: remote.host,
        port: remote.port,
        localAddress: wildcard,
        localPort,
        timeoutMs: Math.max(1, deadline - performance.now()),
        signal,
      });
    } catch (error) {
      if (signal.aborted) throw aborted();
      if (systemCode(error) !== 'ECONNREFUSED' || attempt >= MAX_REDIALS || performance.now() + pauseMs > deadline) throw error;
    }
    await new Promise<void>((resolve) => setTimeout(resolve, pauseMs));
  }
}
