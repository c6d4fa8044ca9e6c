/**
 * The HTTP side of a proxy: CONNECT, plain requests in absolute form, and upgrades of such. Requests are parsed by Node's strict
 * parser and written anew, so that nobody can hide a second one in the first.
 */
import { Agent, createServer, type IncomingMessage, request as httpRequest, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream';
import { LiteDeskError } from '../../../core/errors.ts';
import { type StreamCode, StreamResetError } from '../../../core/mux/index.ts';
import { formatHostPort } from '../../../net/index.ts';
import { failureOf } from '../forward.ts';
import { join } from '../join.ts';
import { PROXY_GREETING_MS, PROXY_HEADER_BYTES, PROXY_KEEP_MS, PROXY_KEPT_CONNECTIONS } from '../limits.ts';
import { absoluteTarget, basicCredentials, connectAuthority, endToEnd } from './http-headers.ts';
import { StreamSocket } from './http-stream.ts';
import { authorised, openReached, type ProxyContext } from './opened.ts';

/** Requests that may be sent again when a kept connection turns out to be closed. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

export class HttpProxy {
  readonly #context: ProxyContext;
  readonly #server: Server;
  readonly #agent: StreamAgent;
  readonly #clients = new WeakMap<Duplex, string>();

  constructor(context: ProxyContext) {
    this.#context = context;
    this.#agent = new StreamAgent(context);
    this.#server = createServer({
      maxHeaderSize: PROXY_HEADER_BYTES,
      headersTimeout: PROXY_GREETING_MS,
      // A download may take a day.
      requestTimeout: 0,
      keepAliveTimeout: 60_000,
      insecureHTTPParser: false,
    });
    // A client may end its half and still wait for the answer.
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    this.#server.on('request', (request, response) => void this.#plain(request, response));
    this.#server.on('connect', (request, socket, head) => void this.#connect(request, socket as Socket, head));
    this.#server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket as Socket, head));
    this.#server.on('clientError', (_error, socket) => {
      if (socket.writable) socket.end(refusal(400, 'Bad Request'));
      else socket.destroy();
    });
  }

  /** Serves one client from its first byte on. */
  serve(socket: Socket, client: string): void {
    this.#clients.set(socket, client);
    this.#server.emit('connection', socket);
  }

  close(): void {
    this.#agent.destroy();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #authorised(request: IncomingMessage): boolean {
    const { auth } = this.#context;
    if (!auth) return true;
    const given = basicCredentials(request.headers['proxy-authorization']);
    return given !== null && authorised(auth, given.user, given.password);
  }

  async #connect(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const target = connectAuthority(request.url ?? '');
    if (!this.#authorised(request)) return void socket.end(authRequired());
    if (!target) return void socket.end(refusal(400, 'Bad Request'));
    await this.#tunnel(socket, target, head, () => 'HTTP/1.1 200 Connection established\r\n\r\n', null);
  }

  /** A WebSocket without TLS comes as an upgrade of a plain request. */
  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const target = absoluteTarget(request.url ?? '');
    if (!this.#authorised(request)) return void socket.end(authRequired());
    if (!target) return void socket.end(refusal(400, 'Bad Request'));
    const headers = endToEnd(request.rawHeaders, ['host']);
    const lines = [`${request.method} ${target.path} HTTP/1.1`, `Host: ${target.authority}`];
    for (let i = 0; i < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
    lines.push(`Upgrade: ${request.headers.upgrade}`, 'Connection: Upgrade', '', '');
    await this.#tunnel(socket, target, head, () => '', lines.join('\r\n'));
  }

  /** Joins the client with a stream to the target; `first` goes to the target before what the client sends. */
  async #tunnel(
    socket: Socket,
    target: { host: string; port: number },
    head: Buffer,
    greeting: () => string,
    first: string | null,
  ): Promise<void> {
    const label = `tcp:${formatHostPort(target)}`;
    const abort = new AbortController();
    socket.once('close', () => abort.abort());
    socket.on('error', () => {});
    const client = this.#clients.get(socket) ?? '';
    const end = this.#context.connections.add(client, label, () => ({ bytesOut: socket.bytesRead, bytesIn: socket.bytesWritten }));
    try {
      const stream = await openReached(this.#context.open, { kind: 'tcp', host: target.host, port: target.port }, abort.signal);
      if (first !== null) stream.write(Buffer.from(first, 'latin1'));
      stream.write(head);
      const text = greeting();
      if (text !== '') socket.write(text);
      join(socket, stream, (error) => end(error !== null));
    } catch (error) {
      end(true);
      if (socket.destroyed) return;
      const failure = failureOf(error, label);
      socket.end(refusal(...statusOf(error), `${failure.message}\n${failure.hint}\n`));
      this.#context.onFailure(failure);
    }
  }

  async #plain(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = absoluteTarget(request.url ?? '');
    if (!this.#authorised(request)) {
      response.writeHead(407, { 'Proxy-Authenticate': 'Basic realm="LiteDesk"', 'Content-Length': 0 }).end();
      return;
    }
    if (!target) {
      response.writeHead(400, { 'Content-Type': 'text/plain' }).end('This is a proxy; requests name the whole address, http://host/path.\n');
      return;
    }
    const label = `tcp:${formatHostPort(target)}`;
    const { socket } = request;
    const before = { read: socket.bytesRead, written: socket.bytesWritten };
    const client = this.#clients.get(socket) ?? '';
    const end = this.#context.connections.add(client, label, () => ({
      bytesOut: socket.bytesRead - before.read,
      bytesIn: socket.bytesWritten - before.written,
    }));
    response.once('close', () => end(!response.writableFinished));
    this.#forward(request, response, target, label, true);
  }

  #forward(
    request: IncomingMessage,
    response: ServerResponse,
    target: { host: string; port: number; path: string; authority: string },
    label: string,
    mayRepeat: boolean,
  ): void {
    const chunked = request.headers['transfer-encoding'] !== undefined;
    const hasBody = chunked || (request.headers['content-length'] ?? '0') !== '0';
    const headers = ['Host', target.authority, ...endToEnd(request.rawHeaders, ['host', 'expect'])];
    if (chunked) headers.push('Transfer-Encoding', 'chunked');
    const outgoing = httpRequest({
      agent: this.#agent,
      host: target.host,
      port: target.port,
      path: target.path,
      method: request.method ?? 'GET',
      headers,
      setHost: false,
    });
    const onAbort = (): void => void outgoing.destroy();
    response.once('close', onAbort);
    outgoing.once('response', (answer) => {
      const status = answer.statusCode ?? 502;
      response.writeHead(status, answer.statusMessage ?? '', endToEnd(answer.rawHeaders));
      // An answer that is cut short must not look complete.
      pipeline(answer, response, (error) => {
        if (error) socketOf(response)?.resetAndDestroy();
      });
    });
    outgoing.once('error', (error) => {
      response.off('close', onAbort);
      if (response.destroyed) return;
      if (response.headersSent) return void socketOf(response)?.resetAndDestroy();
      // Only a kept connection can have been closed before it saw the request.
      if (mayRepeat && outgoing.reusedSocket && !hasBody && SAFE.has(request.method ?? ''))
        return this.#forward(request, response, target, label, false);
      const failure = failureOf(error, label);
      const [status, reason] = statusOf(error);
      response.writeHead(status, reason, { 'Content-Type': 'text/plain' }).end(`${failure.message}\n${failure.hint}\n`);
      this.#context.onFailure(failure);
    });
    if (hasBody) pipeline(request, outgoing, () => {});
    else outgoing.end();
  }
}

/** Connections to targets are streams, some of which are kept for the next request. */
class StreamAgent extends Agent {
  readonly #context: ProxyContext;

  constructor(context: ProxyContext) {
    super({ keepAlive: true, maxFreeSockets: PROXY_KEPT_CONNECTIONS, timeout: PROXY_KEEP_MS });
    this.#context = context;
  }

  override createConnection(
    options: { host?: string | null | undefined; port?: string | number | null | undefined },
    done?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const target = { kind: 'tcp', host: options.host ?? '', port: Number(options.port) } as const;
    openReached(this.#context.open, target, new AbortController().signal).then(
      (stream) => done?.(null, new StreamSocket(stream)),
      (error: unknown) => done?.(error as Error, undefined as unknown as Duplex),
    );
  }
}

const STATUS: Partial<Record<StreamCode, readonly [number, string]>> = {
  'refused-by-rule': [403, 'Forbidden'],
  timeout: [504, 'Gateway Timeout'],
  'too-many-streams': [503, 'Service Unavailable'],
  'too-many-opens': [503, 'Service Unavailable'],
};

function statusOf(error: unknown): readonly [number, string] {
  if (error instanceof StreamResetError) return STATUS[error.code] ?? [502, 'Bad Gateway'];
  return error instanceof LiteDeskError ? [503, 'Service Unavailable'] : [502, 'Bad Gateway'];
}

function refusal(status: number, reason: string, body = ''): string {
  return `HTTP/1.1 ${status} ${reason}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}

function authRequired(): string {
  return refusal(407, 'Proxy Authentication Required').replace('\r\n', '\r\nProxy-Authenticate: Basic realm="LiteDesk"\r\n');
}

function socketOf(response: ServerResponse): Socket | null {
  return response.socket;
}
