/** Listeners with one owner: admission, addresses, and an end that leaves nothing open. */
import { createServer, type Server, type Socket } from 'node:net';
import { type HostPort, normalizeHost } from '../core/wire/index.ts';
import type { Admission } from './admission.ts';
import type { PortSharing } from './cluster/worker.ts';
import { listenError } from './listen-error.ts';
import type { Arrival } from './one-port/arrival.ts';
import type { TrustedProxies } from './proxy-address.ts';

export interface ListenOptions {
  readonly bind: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  readonly admission: Admission;
  /** Their connections are those of many clients. */
  readonly proxies: TrustedProxies;
  /** Other processes of ours listen there too. */
  readonly sharing?: PortSharing | undefined;
  /** For errors. */
  readonly what: string;
}

export interface Listener {
  readonly port: number;
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

/** More would be dropped by the system's own limit anyway. */
const BACKLOG = 511;

/** Listens for TCP. The callback owns the socket's events; its end is watched here. @throws LiteDeskError */
export async function listen(options: ListenOptions, onConnection: (socket: Socket, arrival: Arrival) => void): Promise<Listener> {
  const sockets = new Set<Socket>();
  // Half-open allowed: a client may close its half behind its request (rendezvous §1.2).
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const remote = remoteOf(socket);
    // What a socket without a listener reports would end the process.
    socket.on('error', () => socket.destroy());
    const counted = remote && options.proxies.has(remote.host) ? null : (remote?.host ?? null);
    const place = remote && options.admission.enter(counted, () => socket.destroy());
    if (!remote || !place) return void socket.destroy();
    sockets.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      place.leave();
    });
    onConnection(socket, {
      remote,
      localHost: normalizeHost(socket.localAddress ?? ''),
      localPort: socket.localPort ?? options.port,
      tls: false,
      settle: place.settle,
      move: place.move,
    });
  });
  const port = await bind(server, options);
  return { port, close: () => closeAll(server, sockets) };
}

function remoteOf(socket: Socket): HostPort | null {
  const { remoteAddress, remotePort } = socket;
  // Undefined when the connection was reset before it was accepted.
  return remoteAddress === undefined || remotePort === undefined
    ? null
    : { host: normalizeHost(remoteAddress), port: remotePort };
}

/** Dual stack where the system has IPv6, else IPv4, else only what `bind` says. */
async function bind(server: Server, options: ListenOptions): Promise<number> {
  const hosts = options.bind === undefined || options.bind === '::' ? ['::', '0.0.0.0'] : [options.bind];
  for (const host of hosts) {
    try {
      return await listenOn(server, host, options);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const noIPv6 = code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
      if (!noIPv6 || host !== '::' || options.bind !== undefined) throw listenError(options.what, host, options.port, error);
    }
  }
  throw listenError(options.what, '*', options.port, undefined);
}

function listenOn(server: Server, host: string, { port, sharing }: ListenOptions): Promise<number> {
  const sharedBy = { exclusive: sharing !== 'primary', ...(sharing === 'system' ? { reusePort: true } : {}) };
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG, ...sharedBy }, () => {
      server.off('error', reject);
      // An error of a listener that runs (descriptors used up) passes; the next accept tries again.
      server.on('error', () => {});
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : port);
    });
  });
}

function closeAll(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });
}
