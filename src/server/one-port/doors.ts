/** Opens the server's TCP ports, each for what it serves: frames, WebSocket, or everything at once. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Clock } from '../../core/clock.ts';
import type { Admission } from '../admission.ts';
import type { PortSharing } from '../cluster/worker.ts';
import type { Counters } from '../counters.ts';
import type { ServerLimits } from '../limits.ts';
import { type Listener, listen } from '../listener.ts';
import type { TrustedProxies } from '../proxy-address.ts';
import type { Arrival, Service } from './arrival.ts';
import { Gate, type GateOptions } from './gate.ts';
import { peek } from './peek.ts';
import { type Joins, MAX_FIRST_BYTES, serviceOfFrames, serviceOfMessage } from './service-of.ts';
import type { TlsFiles } from './tls-files.ts';
import { type HttpHandler, WebFront, type WebFrontOptions } from './web-front.ts';
import { setMaxPayload } from '../../net/ws-payload.ts';

export interface DoorsOptions {
  readonly bind: string | undefined;
  /** Other processes of ours listen on the same ports. */
  readonly sharing?: PortSharing | undefined;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  readonly counters: Counters;
  readonly admission: Admission;
  readonly proxies: TrustedProxies;
  /** Listed proxies may name their client in a PROXY header. */
  readonly proxyProtocol: boolean;
  readonly tls: () => TlsFiles | null;
  readonly httpHandlers: readonly HttpHandler[];
}

/** `silent`: the client waits for the server's greeting (rendezvous §6.9). */
export type ServeFrames = (socket: Socket, arrival: Arrival, silent: boolean) => void;
export type ServeWs = (ws: WebSocket, arrival: Arrival) => void;

export interface OnePortServices {
  readonly frames: Readonly<Record<Service, ServeFrames>>;
  readonly ws: Readonly<Record<Service, ServeWs>>;
  readonly joins: Joins;
}

/** What is served on a port for HTTP alone. */
export interface WebServices {
  readonly onRequest: HttpHandler;
  readonly onUpgrade: NonNullable<WebFrontOptions['onUpgrade']>;
  readonly mayUpgrade: NonNullable<WebFrontOptions['mayUpgrade']>;
  readonly onGarbage: NonNullable<WebFrontOptions['onGarbage']>;
  /** Makes it a port for TLS: gate.ts. */
  readonly claimTls?: GateOptions['claimTls'];
  /** A request without TLS came there. */
  readonly onPlainAtTls: (socket: Socket) => void;
}

export class Doors {
  readonly #o: DoorsOptions;

  constructor(options: DoorsOptions) {
    this.#o = options;
  }

  /** A classic port for frames. @throws LiteDeskError as listen() */
  async frames(what: string, port: number, serve: ServeFrames): Promise<Listener> {
    // Nothing to tell apart: the bytes go straight to those who read frames.
    if (!this.#o.proxyProtocol) return await this.#listen(what, port, (socket, arrival) => serve(socket, arrival, false));
    const gate = this.#gate(serve, null, this.#o.limits.greetingDelayMs);
    return await this.#listen(what, port, (socket, arrival) => gate.accept(socket, arrival));
  }

  /** A classic port for WebSocket on any path; other HTTP requests get 426. With a certificate also for TLS. */
  async webSocket(what: string, port: number, maxPayload: number, serve: ServeWs): Promise<Listener> {
    const front = this.#front([], maxPayload, serve);
    const gate = this.#gate(null, front, 0);
    return await this.#listen(what, port, (socket, arrival) => gate.accept(socket, arrival), front);
  }

  /** Everything on one port. `services` answers null as long as the server is not ready. */
  async everything(port: number, services: () => OnePortServices | null): Promise<Listener> {
    const { limits, httpHandlers } = this.#o;
    const front = this.#front(httpHandlers, limits.maxWsMessageBytes, (ws, arrival, path) =>
      this.#whichWs(ws, arrival, path, services()),
    );
    const serve: ServeFrames = (socket, arrival, silent) => {
      const serving = services();
      if (!serving) socket.on('error', () => {}).destroy();
      else if (silent) serving.frames.rendezvous(socket, arrival, true);
      else this.#whichFrames(socket, arrival, serving);
    };
    const gate = this.#gate(serve, front, limits.onePortGreetingMs);
    return await this.#listen('TCP', port, (socket, arrival) => gate.accept(socket, arrival), front);
  }

  /** A port for HTTP alone, inside TLS where `claimTls` is there, and then nothing else. */
  async web(what: string, port: number, services: WebServices): Promise<Listener> {
    const { limits } = this.#o;
    const front = this.#front([services.onRequest], limits.maxWsMessageBytes, (ws) => ws.terminate(), services);
    const gate = this.#gate(null, front, 0, services);
    return await this.#listen(what, port, (socket, arrival) => gate.accept(socket, arrival), front);
  }

  #gate(onFrames: ServeFrames | null, front: WebFront | null, silenceMs: number, web?: WebServices): Gate {
    const { clock, counters, limits, proxies, proxyProtocol, tls } = this.#o;
    return new Gate({
      clock,
      counters,
      timeoutMs: limits.handshakeTimeoutMs,
      silenceMs,
      proxies: proxyProtocol ? proxies : null,
      // Where a port is for TLS or for none, the other one is not served as if it were that.
      tls: front && (!web || web.claimTls) ? tls : () => null,
      claimTls: web?.claimTls,
      onFrames,
      onHttp: front && ((socket, arrival) => (web?.claimTls && !arrival.tls ? web.onPlainAtTls(socket) : front.handle(socket, arrival))),
    });
  }

  #front(
    handlers: readonly HttpHandler[],
    maxPayload: number,
    onWs: (ws: WebSocket, arrival: Arrival, path: string) => void,
    web?: WebServices,
  ): WebFront {
    const { clock, limits, proxies } = this.#o;
    const { handshakeTimeoutMs } = limits;
    return new WebFront({ clock, handshakeTimeoutMs, maxPayload, proxies, handlers, onWs, ...web });
  }

  async #listen(
    what: string,
    port: number,
    onConnection: (socket: Socket, arrival: Arrival) => void,
    front?: WebFront,
  ): Promise<Listener> {
    const { bind, admission, proxies } = this.#o;
    const listener = await listen({ bind, port, admission, proxies, sharing: this.#o.sharing, what }, onConnection);
    return {
      port: listener.port,
      close: async () => {
        front?.close();
        await listener.close();
      },
    };
  }

  #whichFrames(socket: Socket, arrival: Arrival, { frames, joins }: OnePortServices): void {
    const { clock, limits } = this.#o;
    const cut = (): void => void socket.destroy();
    socket.on('error', cut);
    peek<Service>(socket, {
      clock,
      timeoutMs: limits.frameTimeoutMs,
      maxBytes: MAX_FIRST_BYTES,
      decide: (bytes) => {
        const value = serviceOfFrames(bytes, joins);
        return value && { value };
      },
      onDecided: (service) => {
        socket.off('error', cut);
        frames[service](socket, arrival, false);
        socket.resume();
      },
    });
  }

  /**
   * By the path for relays as web clients and their proxies write it, else by the first message: a client that is told the
   * relay at the server's own port takes the path of the rendezvous server for it (rendezvous §9.6).
   */
  #whichWs(ws: WebSocket, arrival: Arrival, path: string, services: OnePortServices | null): void {
    const { clock, limits } = this.#o;
    if (!services) return ws.terminate();
    const { ws: serve, joins } = services;
    const decided = (service: Service): void => {
      if (service === 'relay') setMaxPayload(ws, limits.maxRelayMessageBytes);
      serve[service](ws, arrival);
    };
    if (path === '/ws/relay') return decided('relay');
    const cancelTimer = clock.setTimer(limits.frameTimeoutMs, () => ws.terminate());
    const cut = (): void => ws.terminate();
    const stop = (): void => {
      cancelTimer();
      ws.off('message', onMessage).off('error', cut).off('close', stop);
    };
    const onMessage = (data: unknown, isBinary: boolean): void => {
      if (!isBinary) return;
      stop();
      decided(serviceOfMessage(data as Buffer, joins));
      // The new owner's turn with the message that told.
      ws.emit('message', data, isBinary);
    };
    ws.on('message', onMessage).on('error', cut).on('close', stop);
  }
}
