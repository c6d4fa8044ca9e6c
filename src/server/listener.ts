/** TCP and WebSocket listeners with one owner: admission, addresses, and an end that leaves nothing open. */
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { type HostPort, normalizeHost } from '../core/wire/index.ts';
import type { Admission } from './admission.ts';
import type { ServerLimits } from './limits.ts';
import { listenError } from './listen-error.ts';
import { clientAddress } from './proxy-address.ts';

export interface ListenOptions {
  readonly bind: string | undefined;
  /** 0: any free one. */
  readonly port: number;
  readonly limits: ServerLimits;
  readonly admission: Admission;
}

export interface Listener {
  readonly port: number;
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

/** More would be dropped by the system's own limit anyway. */
const BACKLOG = 511;

/** Listens for TCP. The callback owns the socket's events; its end is watched here. @throws LiteDeskError */
export async function listenTcp(
  options: ListenOptions,
  onConnection: (socket: Socket, remote: HostPort, localHost: string) => void,
): Promise<Listener> {
  const sockets = new Set<Socket>();
  // Half-open allowed: a client may close its half behind its request (rendezvous §1.2).
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const remote = remoteOf(socket);
    const leave = remote && options.admission.enter(remote.host);
    if (!remote || !leave) return void socket.destroy();
    sockets.add(socket);
    socket.on('close', () => {
      sockets.delete(socket);
      leave();
    });
    onConnection(socket, remote, normalizeHost(socket.localAddress ?? ''));
  });
  const port = await listen(server, 'TCP', options);
  return { port, close: () => closeAll(server, sockets) };
}

/** Listens for WebSocket connections on any path; other HTTP requests get 426. @throws LiteDeskError */
export async function listenWs(
  options: ListenOptions & { readonly maxPayload: number },
  onConnection: (ws: WebSocket, remote: HostPort, localHost: string) => void,
): Promise<Listener> {
  const { limits } = options;
  const sockets = new Set<Socket>();
  const wss = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: options.maxPayload,
  });
  const server = createHttpServer(
    { headersTimeout: limits.handshakeTimeoutMs, requestTimeout: limits.handshakeTimeoutMs, connectionsCheckingInterval: 1_000 },
    (_request, response) => {
      response.writeHead(426, { Connection: 'close', Upgrade: 'websocket' });
      response.end();
    },
  );
  server.on('connection', (socket: Socket) => {
    const remote = remoteOf(socket);
    const leave = remote && options.admission.enter(remote.host);
    if (!remote || !leave) return void socket.destroy();
    sockets.add(socket);
    socket.setNoDelay(true);
    // A connection that never sends a byte is not seen by the HTTP parser's timers.
    socket.setTimeout(limits.handshakeTimeoutMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      sockets.delete(socket);
      leave();
    });
  });
  server.on('upgrade', (request, stream, head) => {
    const socket = stream as Socket;
    const remote = remoteOf(socket);
    if (!remote) return void socket.destroy();
    const localHost = normalizeHost(socket.localAddress ?? '');
    const headers: IncomingHttpHeaders = request.headers;
    wss.handleUpgrade(request, socket, head, (ws) => {
      socket.setTimeout(0);
      onConnection(ws, clientAddress(remote, headers), localHost);
    });
  });
  const port = await listen(server, 'WebSocket', options);
  return {
    port,
    close: () => {
      wss.close();
      return closeAll(server, sockets);
    },
  };
}

function remoteOf(socket: Socket): HostPort | null {
  const { remoteAddress, remotePort } = socket;
  // Undefined when the connection was reset before it was accepted.
  return remoteAddress === undefined || remotePort === undefined
    ? null
    : { host: normalizeHost(remoteAddress), port: remotePort };
}

/** Dual stack where the system has IPv6, else IPv4, else only what `bind` says. */
async function listen(server: Server, what: string, options: ListenOptions): Promise<number> {
  const hosts = options.bind === undefined || options.bind === '::' ? ['::', '0.0.0.0'] : [options.bind];
  for (const host of hosts) {
    try {
      return await listenOn(server, host, options.port);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      const noIPv6 = code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL';
      if (!noIPv6 || host !== '::' || options.bind !== undefined) throw listenError(what, host, options.port, error);
    }
  }
  throw listenError(what, '*', options.port, undefined);
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, backlog: BACKLOG, exclusive: true }, () => {
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
