/** One HTTP request to a published service and its answer, unbuffered, over a connection of its own or one that was kept. */
import { Agent, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders, request as httpRequest, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import { StreamResetError } from '../../core/mux/index.ts';
import { join } from '../../net/join.ts';
import type { StreamDuplex } from '../../net/stream-duplex.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import type { HttpOrigin } from '../one-port/web-front.ts';
import { answer, statusOf } from './http-answer.ts';
import { keepMsAfter, responseHeaders } from './http-request.ts';
import type { Place, Refused } from './place.ts';
import { Throttle } from './throttle.ts';

/** The header of an answer; some programs send large cookies and policies. */
const MAX_RESPONSE_HEADER_BYTES = 64 * 1024;

export interface Upgrade {
  readonly socket: Socket;
  readonly head: Buffer;
}

export interface HttpExchangeOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly origin: HttpOrigin;
  readonly place: Place;
  readonly upgrade: Upgrade | null;
  /** Path and header fields as they go on. */
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  /** It may go over a connection that was kept, and keep its own: it has no body, and may be asked again. */
  readonly keep: boolean;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly limits: ServerLimits;
}

/** Hands each request the stream that was chosen for it; keeping streams is the business of the place. */
class ChosenStream extends Agent {
  constructor() {
    super({ keepAlive: true });
  }

  addRequest(request: ClientRequest, { stream }: { readonly stream: StreamDuplex }): void {
    // One that was kept is paused, so that nothing is lost before somebody listens.
    request.once('socket', () => stream.resume());
    // Whatever is a duplex will do.
    request.onSocket(stream as unknown as Socket);
  }
}

const AGENT = new ChosenStream();

/** When either side breaks, the other learns that something is missing. */
export class HttpExchange {
  readonly #o: HttpExchangeOptions;
  /** Null once it is not ours any more. */
  #stream: StreamDuplex | null = null;
  #settle: () => void = () => {};
  #over = false;

  constructor(options: HttpExchangeOptions) {
    this.#o = options;
  }

  /** @returns why it cannot begin; else it sees to the answer, whatever comes */
  start(): Refused | 'published-bad-request' | null {
    const { response } = this.#o;
    const refused = this.#attempt(this.#o.keep);
    if (refused) return refused;
    response.once('close', () => {
      if (!response.writableFinished && this.#stream) this.#fail(new StreamResetError('cancelled', 'the client has gone', 'local'));
    });
    return null;
  }

  #attempt(reuse: boolean): Refused | 'published-bad-request' | null {
    const { request, place, origin, upgrade, path, headers, counters } = this.#o;
    const opened = place.open(origin, reuse);
    if (typeof opened === 'string') return opened;
    const { stream, reused } = opened;
    let onward: ClientRequest;
    try {
      const options = { stream, agent: AGENT, method: request.method ?? 'GET', path, headers, setHost: false, maxHeaderSize: MAX_RESPONSE_HEADER_BYTES };
      onward = httpRequest(options);
    } catch {
      // A path with characters that no request line may have.
      stream.destroy();
      return 'published-bad-request';
    }
    counters.count(reused ? 'published-reused' : 'published-opened', { id: place.peer.id, from: origin.host, via: 'tcp', why: place.key });
    this.#stream = stream;
    this.#watch(stream, onward, reused);
    onward.once('response', (reply) => this.#answer(stream, onward, reply));
    onward.once('upgrade', (reply, _stream, first) => {
      if (!upgrade || reply.statusCode !== 101) return this.#fail(new Error('an upgrade that nobody asked for'));
      this.#leave();
      this.#join(upgrade, reply, stream, first);
    });
    this.#pour(onward);
    return null;
  }

  /** Failures and limits of time, until `#leave`. */
  #watch(stream: StreamDuplex, onward: ClientRequest, reused: boolean): void {
    const { clock, limits, keep } = this.#o;
    const bytesBefore = stream.stream.bytesIn;
    const broken = (error: Error): void => {
      if (this.#stream !== stream) return;
      // The program ended the connection while it waited for us, and has not begun to answer.
      if (reused && keep && stream.stream.bytesIn === bytesBefore) this.#again(stream);
      else this.#fail(stream.errored ?? error);
    };
    const onClose = (): void => {
      if (stream.errored) broken(stream.errored);
    };
    stream.once('close', onClose);
    onward.on('error', broken);
    const stopIdle = this.#watchIdle(stream, () => this.#fail(new StreamResetError('timeout', 'nothing moved', 'local')));
    let cancelAnswer = (): void => {};
    onward.once('finish', () => {
      if (this.#stream === stream)
        cancelAnswer = clock.setTimer(limits.publishedAnswerMs, () => this.#fail(new StreamResetError('timeout', 'no answer', 'local')));
    });
    onward.once('response', () => cancelAnswer());
    this.#settle = (): void => {
      stream.off('close', onClose);
      stopIdle();
      cancelAnswer();
    };
  }

  /** Over a new connection. */
  #again(stream: StreamDuplex): void {
    this.#leave();
    stream.destroy();
    if (this.#o.response.destroyed) return;
    const refused = this.#attempt(false);
    if (refused) this.#fail(new StreamResetError('unavailable', refused, 'local'));
  }

  #answer(stream: StreamDuplex, onward: ClientRequest, reply: IncomingMessage): void {
    const { request, response, place, upgrade, keep, clock } = this.#o;
    try {
      const headers = responseHeaders(reply);
      // What is left of the request would be taken for the next one.
      if (!request.complete || upgrade) headers.Connection = 'close';
      response.writeHead(reply.statusCode ?? 502, reply.statusMessage, headers);
    } catch (error) {
      return this.#fail(error as Error);
    }
    // Request and answer are complete, and the program wants to go on.
    stream.once('free', () => {
      if (this.#stream !== stream) return;
      const keepMs = keep ? keepMsAfter(request, reply) : 0;
      this.#leave();
      if (keepMs > 0) place.keep(stream, keepMs);
      else stream.destroy();
    });
    // Events may come one by one, long after the header.
    response.flushHeaders();
    const done = (error: Error | null | undefined): void => {
      if (error) return this.#fail(error);
      const end = (): void => {
        if (this.#stream !== stream) return;
        this.#leave();
        stream.destroy();
      };
      // An answer may be complete before its request is.
      if (request.complete && !onward.writableFinished) onward.once('finish', () => setImmediate(end));
      else end();
    };
    if (place.bandwidths.length === 0) pipeline(reply, response, done);
    else pipeline(reply, new Throttle(place.bandwidths, clock), response, done);
  }

  #pour(onward: ClientRequest): void {
    const { request, place, keep, clock } = this.#o;
    // Not a pipeline: its end in an error would take the client's connection along, and with it our answer.
    request.on('error', () => {});
    if (keep) onward.end();
    else if (place.bandwidths.length === 0) request.pipe(onward);
    else request.pipe(new Throttle(place.bandwidths, clock)).pipe(onward);
  }

  /** The stream is somebody else's from here on. */
  #leave(): void {
    this.#stream = null;
    this.#settle();
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    const { response, place, origin, counters } = this.#o;
    const stream = this.#stream;
    this.#leave();
    stream?.destroy(error);
    if (response.destroyed || response.writableEnded) return;
    const { status, code } = statusOf(stream?.errored ?? error);
    counters.count('published-failed', { id: place.peer.id, from: origin.host, via: 'tcp', why: code });
    if (response.headersSent) response.destroy();
    else answer(response, status, code);
  }

  #join({ socket, head }: Upgrade, reply: IncomingMessage, stream: StreamDuplex, first: Buffer): void {
    const { response, place, clock } = this.#o;
    const headers = { ...responseHeaders(reply), Connection: 'Upgrade', Upgrade: 'websocket' };
    response.detachSocket(socket);
    const lines = Object.entries(headers).flatMap(([name, value]) => [value].flat().map((one) => `${name}: ${one}`));
    socket.write(Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1'));
    socket.setNoDelay(true);
    if (first.length > 0) socket.write(first);
    if (head.length > 0) socket.unshift(head);
    const { bandwidths } = place;
    const through = bandwidths.length === 0 ? undefined : () => new Throttle(bandwidths, clock);
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
