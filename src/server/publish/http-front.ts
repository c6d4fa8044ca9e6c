/** HTTP for all published host names: who is asked, whether he may be, and the exchange itself, unbuffered. */
import { type ClientRequest, type IncomingMessage, request as httpRequest, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { StreamResetError } from '../../core/mux/index.ts';
import type { StreamDuplex } from '../../net/stream-duplex.ts';
import { join } from '../../net/join.ts';
import { normalizeHost } from '../../core/wire/index.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import type { HttpOrigin } from '../one-port/web-front.ts';
import type { TrustedProxies } from '../proxy-address.ts';
import type { Reason } from '../observe/reasons.ts';
import { BasicAuthGate } from './basic-auth-gate.ts';
import { answer, refuseGarbage, type Status, statusOf } from './http-answer.ts';
import { isWebSocket, readRequest, requestHeaders, responseHeaders } from './http-request.ts';
import type { Place } from './place.ts';
import { Throttle } from './throttle.ts';

export interface HttpFrontOptions {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly proxies: TrustedProxies;
  /** The place of a host name, if it speaks HTTP. */
  readonly find: (host: string) => Place | undefined;
}

/** The header of an answer; some programs send large cookies and policies. */
const MAX_RESPONSE_HEADER_BYTES = 64 * 1024;

export class HttpFront {
  readonly #o: HttpFrontOptions;
  readonly #auth: BasicAuthGate;

  constructor(options: HttpFrontOptions) {
    this.#o = options;
    this.#auth = new BasicAuthGate(options.limits, options.clock);
  }

  readonly onRequest = (request: IncomingMessage, response: ServerResponse, origin: HttpOrigin): boolean => {
    void this.#serve(request, response, origin, null);
    return true;
  };

  readonly onUpgrade = (request: IncomingMessage, socket: Socket, head: Buffer, origin: HttpOrigin): void => {
    socket.on('error', () => socket.destroy());
    const { headers } = request;
    const hasBody = headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0';
    if (hasBody) return this.onGarbage(socket, origin);
    // Until the service agrees it is a request like any other, with an answer like any other.
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once('finish', () => socket.end());
    // What another protocol is asked for gets its answer in this one.
    void this.#serve(request, response, origin, isWebSocket(request) ? { socket, head } : null);
  };

  readonly onGarbage = (socket: Parameters<typeof refuseGarbage>[0], origin: { readonly host: string } | null): void => {
    this.#o.counters.count('published-bad-request', { from: origin?.host });
    refuseGarbage(socket);
  };

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    origin: HttpOrigin,
    upgrade: { readonly socket: Socket; readonly head: Buffer } | null,
  ): Promise<void> {
    response.on('error', () => {});
    const target = readRequest(request);
    if (!target) return this.#refuse(response, origin, 400, 'published-bad-request');
    const place = this.#o.find(target.host);
    if (!place) return this.#refuse(response, origin, 404, 'published-unknown-host');
    if (!place.allows(origin.host)) return this.#refuse(response, origin, 403, 'published-address-not-allowed');
    if (place.basicAuth && !(await this.#isAuthorised(place.basicAuth, request, response, origin))) return;
    if (response.destroyed) return;
    const stream = place.open(origin);
    if (typeof stream === 'string') return this.#refuse(response, origin, 503, stream, place);
    this.#o.counters.count('published-opened', { id: place.peer.id, from: origin.host, via: 'tcp', why: place.key });
    const headers = requestHeaders(request, {
      origin,
      socketHost: normalizeHost(request.socket.remoteAddress ?? origin.host),
      proxies: this.#o.proxies,
      dropAuthorization: place.basicAuth !== null,
      upgrade: upgrade !== null,
    });
    let onward: ClientRequest;
    try {
      onward = httpRequest({
        createConnection: () => stream,
        method: request.method ?? 'GET',
        path: target.path,
        headers,
        setHost: false,
        maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
      });
    } catch {
      // A path with characters that no request line may have.
      stream.destroy();
      return this.#refuse(response, origin, 400, 'published-bad-request');
    }
    this.#exchange({ request, response, origin, place, stream, onward, upgrade });
  }

  async #isAuthorised(
    expected: NonNullable<Place['basicAuth']>,
    request: IncomingMessage,
    response: ServerResponse,
    origin: HttpOrigin,
  ): Promise<boolean> {
    const verdict = await this.#auth.check(expected, request.headers.authorization, origin.host);
    if (verdict === 'ok') return true;
    if (verdict === 'too-many-tries') this.#refuse(response, origin, 429, 'published-too-many-tries', null, { 'Retry-After': '60' });
    else if (verdict === 'busy') this.#refuse(response, origin, 503, 'published-too-many-tries', null, { 'Retry-After': '1' });
    else this.#refuse(response, origin, 401, 'published-unauthorised', null, { 'WWW-Authenticate': 'Basic realm="LiteDesk", charset="UTF-8"' });
    return false;
  }

  #refuse(
    response: ServerResponse,
    origin: HttpOrigin,
    status: Status,
    reason: Reason,
    place: Place | null = null,
    headers: Record<string, string> = {},
  ): void {
    this.#o.counters.count(reason, { from: origin.host, via: 'tcp', id: place?.peer.id });
    answer(response, status, reason.replace('published-', ''), headers);
  }

  /** One request to the service and its answer. When either side breaks, the other learns that something is missing. */
  #exchange(exchange: {
    readonly request: IncomingMessage;
    readonly response: ServerResponse;
    readonly origin: HttpOrigin;
    readonly place: Place;
    readonly stream: StreamDuplex;
    readonly onward: ClientRequest;
    readonly upgrade: { readonly socket: Socket; readonly head: Buffer } | null;
  }): void {
    const { request, response, origin, place, stream, onward, upgrade } = exchange;
    const { clock, counters, limits } = this.#o;
    const stopIdle = this.#watchIdle(stream, () => fail(new StreamResetError('timeout', 'nothing moved', 'local')));
    let cancelAnswer: (() => void) | undefined;
    let failed = false;
    const settle = (): void => {
      stopIdle();
      cancelAnswer?.();
    };
    const fail = (error: Error): void => {
      if (failed) return;
      failed = true;
      settle();
      stream.destroy(error);
      if (response.destroyed || response.writableEnded) return;
      const { status, code } = statusOf(stream.errored ?? error);
      counters.count('published-failed', { id: place.peer.id, from: origin.host, via: 'tcp', why: code });
      if (response.headersSent) response.destroy();
      else answer(response, status, code);
    };
    stream.once('close', () => {
      settle();
      if (stream.errored && !upgraded) fail(stream.errored);
    });
    let upgraded = false;
    onward.on('error', fail);
    onward.once('finish', () => {
      cancelAnswer = clock.setTimer(limits.publishedAnswerMs, () => fail(new StreamResetError('timeout', 'no answer', 'local')));
    });
    onward.once('response', (reply) => {
      cancelAnswer?.();
      try {
        const headers = responseHeaders(reply);
        // What is left of the request would be taken for the next one.
        if (!request.complete || upgrade) headers.Connection = 'close';
        response.writeHead(reply.statusCode ?? 502, reply.statusMessage, headers);
      } catch (error) {
        return fail(error as Error);
      }
      // Events may come one by one, long after the header.
      response.flushHeaders();
      const done = (error: Error | null | undefined): void => (error ? fail(error) : settle());
      if (place.bandwidths.length === 0) pipeline(reply, response, done);
      else pipeline(reply, new Throttle(place.bandwidths, clock), response, done);
    });
    onward.once('upgrade', (reply, _stream, first) => {
      if (!upgrade || reply.statusCode !== 101) return fail(new Error('an upgrade that nobody asked for'));
      upgraded = true;
      settle();
      this.#join(response, upgrade, reply, stream, first, place);
    });
    response.once('close', () => {
      if (!upgraded && !response.writableFinished) fail(new StreamResetError('cancelled', 'the client has gone', 'local'));
    });
    // Not a pipeline: its end in an error would take the client's connection along, and with it our answer.
    request.on('error', () => {});
    if (place.bandwidths.length === 0) request.pipe(onward);
    else request.pipe(new Throttle(place.bandwidths, clock)).pipe(onward);
  }

  #join(
    response: ServerResponse,
    upgrade: { readonly socket: Socket; readonly head: Buffer },
    reply: IncomingMessage,
    stream: StreamDuplex,
    first: Buffer,
    place: Place,
  ): void {
    const { socket, head } = upgrade;
    const headers = { ...responseHeaders(reply), Connection: 'Upgrade', Upgrade: 'websocket' };
    response.detachSocket(socket);
    const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`));
    socket.write(Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
    socket.setNoDelay(true);
    if (first.length > 0) socket.write(first);
    if (head.length > 0) socket.unshift(head);
    const { bandwidths } = place;
    const through = bandwidths.length === 0 ? undefined : () => new Throttle(bandwidths, this.#o.clock);
    join(socket, stream, { through });
  }

  /** Calls back once when no byte of the stream has moved for a while. */
  #watchIdle(stream: StreamDuplex, onIdle: () => void): () => void {
    const { clock, limits } = this.#o;
    const moved = (): number => stream.stream.bytesIn + stream.stream.bytesOut;
    let last = moved();
    let cancel = (): void => {};
    const look = (): void => {
      const now = moved();
      if (now === last) return onIdle();
      last = now;
      cancel = clock.setTimer(limits.publishedIdleMs, look);
    };
    cancel = clock.setTimer(limits.publishedIdleMs, look);
    return () => cancel();
  }
}
