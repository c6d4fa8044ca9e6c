/** What forwards and proxies have in common: a TCP listener whose connections each lead somewhere. */
import { createServer, type Server, type Socket } from 'node:net';
import type { LiteDeskError } from '../../core/errors.ts';
import { formatHostPort, plainAddress } from '../../net/index.ts';
import { listenFailed } from './errors.ts';
import { MAX_CONNECTIONS } from './limits.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
}

/** Something that listens on this computer. */
export interface LocalListener {
  /** Starts to listen; resolves to where. Throws LiteDeskError TUNNEL_LISTEN_FAILED. */
  listen(): Promise<ListenAddress>;
  /** Ends it and every connection through it. */
  close(): Promise<void>;
}

export interface TcpListenerOptions {
  readonly address: ListenAddress;
  /** The socket is not read before you read it, and its errors are heard until you listen yourself. */
  readonly onConnection: (socket: Socket, client: string) => void;
}

export class TcpListener implements LocalListener {
  readonly #o: TcpListenerOptions;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(options: TcpListenerOptions) {
    this.#o = options;
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true, keepAlive: true });
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      // An error that nobody hears ends the process.
      socket.on('error', () => {});
      this.#o.onConnection(socket, clientOf(socket));
    });
  }

  async listen(): Promise<ListenAddress> {
    await listening(this.#server, this.#o.address);
    const address = this.#server.address();
    if (typeof address !== 'object' || !address) throw new Error('a listener without address');
    // Too many open files and the like: the connection at hand is lost, the listener goes on.
    this.#server.on('error', () => {});
    return { host: address.address, port: address.port };
  }

  async close(): Promise<void> {
    for (const socket of [...this.#sockets]) socket.resetAndDestroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function listening(server: Server, { host, port }: ListenAddress): Promise<void> {
  return new Promise((resolve, reject: (error: LiteDeskError) => void) => {
    const onError = (error: Error): void => reject(listenFailed(formatHostPort({ host, port }), error));
    server.once('error', onError);
    server.listen({ host, port }, () => {
      server.off('error', onError);
      resolve();
    });
  });
}

function clientOf(socket: Socket): string {
  return formatHostPort({ host: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0 });
}
