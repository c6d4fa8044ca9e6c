/** HTTP on connections that somebody else accepted: WebSocket upgrades, and requests for whoever wants to answer them. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Clock } from '../../core/clock.ts';
import { clientAddress, type TrustedProxies, wasForwarded } from '../proxy-address.ts';
import type { Arrival } from './arrival.ts';

/** Where a request came from, beyond what its socket says. */
export interface HttpOrigin {
  /** The client; what a listed proxy said about it where there is one. */
  readonly host: string;
  /** 0 where a proxy told the host. */
  readonly port: number;
  readonly tls: boolean;
  /** Some proxy passed it on, listed or not: a loopback `host` then says nothing about who sent it. */
  readonly forwarded: boolean;
}

/** Answers a request and says so, or returns false without touching the response, which then goes to the next one. */
export type HttpHandler = (request: IncomingMessage, response: ServerResponse, origin: HttpOrigin) => boolean;

export interface WebFrontOptions {
  readonly clock: Clock;
  /** ms for the header of a request, and of the next one on a kept connection. */
  readonly handshakeTimeoutMs: number;
  readonly maxPayload: number;
  readonly proxies: TrustedProxies;
  /** Asked in order; nobody: 404, or 426 where only WebSocket is served. */
  readonly handlers: readonly HttpHandler[];
  /** `path` without its query. Called in the turn of the upgrade: no message is lost. */
  readonly onWs: (ws: WebSocket, arrival: Arrival, path: string) => void;
  /** Takes upgrades as they are, instead of onWs. `head` came behind the request. */
  readonly onUpgrade?: ((request: IncomingMessage, socket: Socket, head: Buffer, origin: HttpOrigin) => void) | undefined;
  /** Which upgrades onUpgrade gets; others are requests like any. Node before 24 does not ask: it then gets them all. */
  readonly mayUpgrade?: ((request: IncomingMessage) => boolean) | undefined;
  /** A request that cannot be read is answered by closing the connection; this may say something first. */
  readonly onGarbage?: ((socket: Duplex, origin: { readonly host: string } | null) => void) | undefined;
}

/** Header fields of one request; browsers behind two proxies send some thirty. */
const MAX_HEADERS = 100;
const MAX_HEADER_BYTES = 16 * 1024;

interface Visit {
  readonly arrival: Arrival;
  /** Starts or stops the time limit for a request header. */
  await(header: boolean): void;
  /** Requests that have not been answered to the end; a client may send the next ones already. */
  open: number;
}

export class WebFront {
  readonly #o: WebFrontOptions;
  readonly #server: Server;
  readonly #wss: WebSocketServer;
  readonly #visits = new WeakMap<object, Visit>();

  constructor(options: WebFrontOptions) {
    this.#o = options;
    this.#wss = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxPayload,
    });
    // It never listens, so its own checks of slow headers do not run; handle() has a timer instead.
    const { handshakeTimeoutMs: keepAliveTimeout, mayUpgrade } = options;
    const upgrades = mayUpgrade ? { shouldUpgradeCallback: mayUpgrade } : {};
    // Whoever tells of garbage wants to tell of this, too; the server would answer by itself.
    const requireHostHeader = options.onGarbage === undefined;
    this.#server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout, requireHostHeader, ...upgrades }, (request, response) =>
      this.#onRequest(request, response),
    );
    // One more than is taken: Node would leave out the others without a word, and with them perhaps a length or a host.
    this.#server.maxHeadersCount = MAX_HEADERS + 1;
    this.#server.on('upgrade', (request, stream, head) => this.#onUpgrade(request, stream as Socket, head));
    this.#server.on('clientError', (_error, socket) => {
      const remote = this.#visits.get(socket)?.arrival.remote ?? null;
      if (options.onGarbage) options.onGarbage(socket, remote);
      else socket.destroy();
    });
  }

  /** Takes a connection that is about to send a request. Its owner ends it in the end. */
  handle(socket: Socket, arrival: Arrival): void {
    const { clock, handshakeTimeoutMs } = this.#o;
    let cancel: (() => void) | undefined;
    const visit: Visit = {
      arrival,
      open: 0,
      await: (header) => {
        cancel?.();
        cancel = header ? clock.setTimer(handshakeTimeoutMs, () => socket.destroy()) : undefined;
      },
    };
    visit.await(true);
    this.#visits.set(socket, visit);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => visit.await(false));
    this.#server.emit('connection', socket);
  }

  close(): void {
    this.#wss.close();
    this.#server.close();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const visit = this.#visits.get(request.socket);
    if (!visit) return void request.socket.destroy();
    visit.await(false);
    visit.arrival.settle();
    visit.open++;
    response.on('finish', () => {
      visit.open--;
      visit.await(true);
    });
    response.on('error', () => {});
    const origin = this.#origin(request, visit.arrival);
    if (origin === null) return void request.socket.destroy();
    if (hasTooManyFields(request)) return this.#refuse(request.socket, origin);
    try {
      if (this.#o.handlers.some((handler) => handler(request, response, origin))) return;
    } catch {
      if (response.headersSent) return void response.destroy();
      response.writeHead(500, { Connection: 'close' });
      return void response.end();
    }
    const upgrade = this.#o.handlers.length === 0 || pathOf(request).startsWith('/ws/');
    response.writeHead(upgrade ? 426 : 404, { Connection: 'close', ...(upgrade ? { Upgrade: 'websocket' } : {}) });
    response.end();
  }

  #onUpgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const visit = this.#visits.get(socket);
    const origin = visit && this.#origin(request, visit.arrival);
    if (!visit || !origin) return void socket.destroy();
    // Node hands the connection over while it still carries the answer to the request before.
    if (visit.open > 0) return void socket.destroy();
    if (hasTooManyFields(request)) return this.#refuse(socket, origin);
    if (this.#o.onUpgrade) {
      visit.await(false);
      visit.arrival.settle();
      return this.#o.onUpgrade(request, socket, head, origin);
    }
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      visit.await(false);
      const remote = clientAddress(visit.arrival.remote, request.headers, this.#o.proxies);
      this.#o.onWs(ws, { ...visit.arrival, remote }, pathOf(request));
    });
  }

  #refuse(socket: Socket, origin: HttpOrigin): void {
    if (this.#o.onGarbage) this.#o.onGarbage(socket, origin);
    else socket.destroy();
  }

  /** Null: the client that a proxy named has too many connections. */
  #origin(request: IncomingMessage, arrival: Arrival): HttpOrigin | null {
    const { host, port } = clientAddress(arrival.remote, request.headers, this.#o.proxies);
    if (host !== arrival.remote.host && !arrival.move(host)) return null;
    return { host, port, tls: arrival.tls, forwarded: wasForwarded(request.headers) };
  }
}

function hasTooManyFields(request: IncomingMessage): boolean {
  return request.rawHeaders.length > 2 * MAX_HEADERS;
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0] ?? '/';
}
