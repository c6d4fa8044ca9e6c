/** HTTP for all published host names: who is asked, whether he may be, and the exchange itself, unbuffered. */
import { type IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { normalizeHost } from '../../core/wire/index.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import type { HttpOrigin } from '../one-port/web-front.ts';
import type { TrustedProxies } from '../proxy-address.ts';
import type { Reason } from '../observe/reasons.ts';
import { BasicAuthGate } from './basic-auth-gate.ts';
import { answer, refuseGarbage, type Status } from './http-answer.ts';
import { HttpExchange, type Upgrade } from './http-exchange.ts';
import { hasBody, isWebSocket, mayShareConnection, readRequest, requestHeaders } from './http-request.ts';
import type { Place } from './place.ts';

export interface HttpFrontOptions {
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly proxies: TrustedProxies;
  /** The place of a host name, if it speaks HTTP. */
  readonly find: (host: string) => Place | undefined;
}

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
    if (hasBody(request)) return this.onGarbage(socket, origin);
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
    upgrade: Upgrade | null,
  ): Promise<void> {
    response.on('error', () => {});
    const target = readRequest(request);
    if (!target) return this.#refuse(response, origin, 400, 'published-bad-request');
    const place = this.#o.find(target.host);
    if (!place) return this.#refuse(response, origin, 404, 'published-unknown-host');
    if (!place.allows(origin.host)) return this.#refuse(response, origin, 403, 'published-address-not-allowed');
    if (place.basicAuth && !(await this.#isAuthorised(place.basicAuth, request, response, origin))) return;
    if (response.destroyed) return;
    const { clock, counters, limits, proxies } = this.#o;
    const keep = upgrade === null && limits.maxPublishedKept > 0 && mayShareConnection(request);
    const headers = requestHeaders(request, {
      origin,
      socketHost: normalizeHost(request.socket.remoteAddress ?? origin.host),
      proxies,
      dropAuthorization: place.basicAuth !== null,
      upgrade: upgrade !== null,
      keep,
    });
    const exchange = new HttpExchange({ request, response, origin, place, upgrade, path: target.path, headers, keep, clock, counters, limits });
    const refused = exchange.start();
    if (refused) this.#refuse(response, origin, refused === 'published-bad-request' ? 400 : 503, refused, place);
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
}
