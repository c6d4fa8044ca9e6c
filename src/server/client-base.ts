/** What TCP and WebSocket clients share: the frame timer, the request budget, and the heartbeat of a registration. */
import type { Clock } from '../core/clock.ts';
import type { HostPort } from '../core/wire/index.ts';
import type { NetLink } from '../net/index.ts';
import type { Client } from './client.ts';
import type { ServerLimits } from './limits.ts';
import type { Reason } from './observe/reasons.ts';
import type { Arrival } from './one-port/arrival.ts';

const NO_BYTES = new Uint8Array(0);

export interface ClientEvents {
  /** The connection is there; nothing came yet. */
  onOpen?(client: Client): void;
  onMessage(client: Client, payload: Uint8Array): void;
  onClosed(client: Client): void;
  /** The server cuts it, and why. */
  onCut?(client: Client, reason: Reason): void;
  /** Whether an answer to this client may still come. */
  waits(client: Client): boolean;
}

export abstract class ClientBase implements Client {
  abstract readonly kind: 'tcp' | 'ws';
  readonly remote: HostPort;
  readonly localHost: string;
  readonly localPort: number;
  readonly #arrival: Arrival;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #events: ClientEvents;
  #cancelTimer: () => void;
  #cancelHeartbeat: (() => void) | undefined;
  #presence = false;
  #closed = false;
  #windowStart: number;
  #windowCount = 0;

  constructor(arrival: Arrival, limits: ServerLimits, clock: Clock, events: ClientEvents) {
    this.remote = arrival.remote;
    this.localHost = arrival.localHost;
    this.localPort = arrival.localPort;
    this.#arrival = arrival;
    this.#limits = limits;
    this.#clock = clock;
    this.#events = events;
    this.#windowStart = clock.now();
    this.#cancelTimer = clock.setTimer(limits.frameTimeoutMs, () => this.cut('client-silent'));
  }

  get closed(): boolean {
    return this.#closed;
  }

  abstract takeLink(): NetLink | null;

  /** Ends it at once for something that the client did, or did not do. */
  protected cut(reason: Reason): void {
    if (!this.#closed) this.#events.onCut?.(this, reason);
    this.destroy();
  }

  /** Whether this connection is a registration. */
  protected get presence(): boolean {
    return this.#presence;
  }

  /** Puts one payload on the wire; called only while open. */
  protected abstract write(payload: Uint8Array): void;
  /** Bytes that have not left yet. */
  protected abstract unsentBytes(): number;
  abstract close(): void;
  abstract destroy(): void;

  send(payload: Uint8Array): void {
    if (this.#closed) return;
    if (this.unsentBytes() > this.#limits.maxUnsentBytes) return this.cut('client-not-reading');
    this.write(payload);
  }

  keepAsPresence(): void {
    if (this.#presence || this.#closed) return;
    this.#presence = true;
    this.#restartTimer();
    const beat = (): void => {
      this.#cancelHeartbeat = this.#clock.setTimer(this.#limits.heartbeatMs, beat);
      this.sendHeartbeat();
    };
    this.#cancelHeartbeat = this.#clock.setTimer(this.#limits.heartbeatMs, beat);
  }

  /** A zero-length frame, never sealed (rendezvous §5.6). */
  protected sendHeartbeat(): void {
    this.send(NO_BYTES);
  }

  /** One whole payload came. */
  protected received(payload: Uint8Array): void {
    if (this.#closed) return;
    const now = this.#clock.now();
    if (now - this.#windowStart > this.#limits.requestWindowMs) {
      this.#windowStart = now;
      this.#windowCount = 0;
    }
    if (++this.#windowCount > this.#limits.maxRequestsPerWindow) return this.cut('client-too-many-requests');
    this.#restartTimer();
    this.#arrival.settle();
    this.#events.onMessage(this, payload);
  }

  /** A sign of life that is no message. */
  protected alive(): void {
    if (!this.#closed) this.#restartTimer();
  }

  /** The connection is over, whoever ended it, or goes on without us. */
  protected ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer();
    this.#cancelHeartbeat?.();
    this.#events.onClosed(this);
  }

  #restartTimer(): void {
    this.#cancelTimer();
    const silenceMs = this.#presence ? this.#limits.presenceSilenceMs : this.#limits.frameTimeoutMs;
    this.#cancelTimer = this.#clock.setTimer(silenceMs, () => this.cut(this.#presence ? 'presence-silent' : 'client-silent'));
  }
}
