/** A rendezvous client on WebSocket: one binary message is one message (rendezvous §1.2). */
import type { WebSocket } from 'ws';
import type { Clock } from '../core/clock.ts';
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

  constructor(
    ws: WebSocket,
    options: { arrival: Arrival; limits: ServerLimits; clock: Clock; events: ClientEvents },
  ) {
    super(options.arrival, options.limits, options.clock, options.events);
    this.#ws = ws;
    this.#clock = options.clock;
    ws.on('message', (data, isBinary) => {
      // `nodebuffer` is the only binary type we let ws use, so data is one buffer.
      if (isBinary && ws.readyState === ws.OPEN) this.received(data as Buffer);
    });
    // A browser cannot send these, a proxy does: they keep the connection (rendezvous §1.2).
    ws.on('ping', () => this.alive());
    ws.on('error', () => ws.terminate());
    ws.on('close', () => {
      this.#cancelLinger?.();
      this.ended();
    });
    options.events.onOpen?.(this);
  }

  close(): void {
    this.#ws.close(1000);
    this.#cancelLinger ??= this.#clock.setTimer(LINGER_MS, () => this.#ws.terminate());
  }

  destroy(): void {
    this.#ws.terminate();
  }

  protected write(payload: Uint8Array): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(payload);
  }

  protected unsentBytes(): number {
    return this.#ws.bufferedAmount;
  }
}
