/** The HTTP port of metrics and status page: a handful of connections, each with an end. */
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { listenError } from '../listen-error.ts';
import type { ServerLimits } from '../limits.ts';
import type { HttpHandler } from './http-handler.ts';

export interface HttpPort {
  readonly port: number;
  close(): Promise<void>;
}

/** Bytes of request headers; a browser with cookies of other local programs needs some. */
const MAX_HEADER_BYTES = 16 * 1024;

/** Opens the port and hands requests to `handler`; what it does not know gets 404. @throws LiteDeskError PORT_IN_USE and its like */
export async function openHttpPort(
  where: { readonly host: string; readonly port: number },
  limits: ServerLimits,
  handler: HttpHandler,
): Promise<HttpPort> {
  const sockets = new Set<Socket>();
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: limits.httpRequestMs,
      requestTimeout: limits.httpRequestMs,
      keepAliveTimeout: limits.httpRequestMs,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => {
      if (!handler(request, response)) response.writeHead(404, { 'Content-Type': 'text/plain', Connection: 'close' }).end('Not found.\n');
    },
  );
  server.maxConnections = limits.maxHttpConnections;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    // A connection that never sends a byte is not seen by the HTTP parser's timers.
    const silent = setTimeout(() => socket.destroy(), limits.httpRequestMs);
    socket.once('data', () => clearTimeout(silent));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      clearTimeout(silent);
      sockets.delete(socket);
    });
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', (error) => reject(listenError('HTTP', where.host, where.port, error)));
    server.listen({ host: where.host, port: where.port, exclusive: true }, () => {
      server.removeAllListeners('error').on('error', () => {});
      const address = server.address();
      resolve(address !== null && typeof address === 'object' ? address.port : where.port);
    });
  });
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
