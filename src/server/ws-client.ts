/** A rendezvous client on WebSocket: one binary message is one message (rendezvous §1.2). */
import type { WebSocket } from 'ws';
import type { Clock } from '../core/clock.ts';
import { formatHostPort, type NetLink, WebSocketLink } from '../net/index.ts';
import { ClientBase, type ClientEvents } from './client-base.ts';
import type { ServerLimits } from './limits.ts';
import type { Arrival } from './one-port/arrival.ts';

/** ms for the closing handshake; then the socket is cut. */
const LINGER_MS = 2_000;

export class WsClient extends ClientBase {
  readonly kind = 'ws';
  readonly #ws: WebSocket;
  readonly #clock: Clock;
  #cancelLinger: (() => void) | undefined;
  readonly #letGo: () => void;
  readonly #remoteAddress: string;

  constructor(
    ws: WebSocket,
    options: { arrival: Arrival; limits: ServerLimits; clock: Clock; events: ClientEvents },
  ) {
    super(options.arrival, options.limits, options.clock, options.events);
    this.#ws = ws;
    this.#clock = options.clock;
    const onMessage = (data: unknown, isBinary: boolean): void => {
      // `nodebuffer` is the only binary type we let ws use, so data is one buffer.
      if (isBinary && ws.readyState === ws.OPEN) this.received(data as Buffer);
    };
    // A browser cannot send these, a proxy does: they keep the connection (rendezvous §1.2).
    const onPing = (): void => this.alive();
    const onError = (): void => ws.terminate();
    const onClose = (): void => {
      this.#cancelLinger?.();
      this.ended();
    };
    ws.on('message', onMessage).on('ping', onPing).on('error', onError).on('close', onClose);
    this.#letGo = () => void ws.off('message', onMessage).off('ping', onPing).off('error', onError).off('close', onClose);
    this.#remoteAddress = formatHostPort(options.arrival.remote);
    options.events.onOpen?.(this);
  }

  close(): void {
    this.#ws.close(1000);
    this.#cancelLinger ??= this.#clock.setTimer(LINGER_MS, () => this.#ws.terminate());
  }

  destroy(): void {
    this.#ws.terminate();
  }

  takeLink(): NetLink | null {
    if (this.closed || this.#cancelLinger) return null;
    this.#letGo();
    this.ended();
    return new WebSocketLink(this.#ws, { remoteAddress: this.#remoteAddress });
  }

  protected write(payload: Uint8Array): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(payload);
  }

  protected unsentBytes(): number {
    return this.#ws.bufferedAmount;
  }
}
