/** `proxy`: HTTP and SOCKS5 on one port here, told apart by the first byte; the connections leave from the other peer. */
import type { Socket } from 'node:net';
import type { ErrorData } from '../../../core/errors.ts';
import { Connections } from '../connections.ts';
import type { OpenStream } from '../forward.ts';
import { PROXY_GREETING_MS } from '../limits.ts';
import { type ListenAddress, type LocalListener, TcpListener } from '../listener.ts';
import { HttpProxy } from './http-proxy.ts';
import type { ProxyAuth, ProxyContext } from './opened.ts';
import { readBytes, serveSocks } from './socks.ts';

const SOCKS5 = 5;

export interface ProxyOptions {
  readonly address: ListenAddress;
  readonly open: OpenStream;
  /** What clients must say; absent: everybody who reaches the port is served. */
  readonly auth?: ProxyAuth;
  /** A connection could not be made. */
  readonly onFailure: (error: ErrorData) => void;
}

export class Proxy implements LocalListener {
  readonly connections = new Connections();
  readonly #context: ProxyContext;
  readonly #listener: TcpListener;
  readonly #http: HttpProxy;

  constructor(options: ProxyOptions) {
    this.#context = {
      open: options.open,
      connections: this.connections,
      auth: options.auth ?? null,
      onFailure: options.onFailure,
    };
    this.#http = new HttpProxy(this.#context);
    this.#listener = new TcpListener({
      address: options.address,
      onConnection: (socket, client) => void this.#serve(socket, client),
    });
  }

  async listen(): Promise<ListenAddress> {
    return await this.#listener.listen();
  }

  async close(): Promise<void> {
    this.#http.close();
    await this.#listener.close();
  }

  async #serve(socket: Socket, client: string): Promise<void> {
    const silent = setTimeout(() => socket.destroy(), PROXY_GREETING_MS);
    const greeted = (): void => clearTimeout(silent);
    socket.once('close', greeted);
    let first: Buffer;
    try {
      first = await readBytes(socket, 1);
    } catch {
      // It said nothing.
      socket.destroy();
      return;
    }
    socket.unshift(first);
    if (first[0] === SOCKS5) return serveSocks(socket, client, this.#context, greeted);
    greeted();
    this.#http.serve(socket, client);
  }
}
