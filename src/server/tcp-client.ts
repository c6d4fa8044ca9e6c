/** A rendezvous client on TCP: framed (rendezvous §2), sealed when it answers the greeting (§6.9). */
import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { SealedStream, type ServerKeyExchange } from '../core/crypto/index.ts';
import { decodeRendezvous, encodeFrame, FrameDecoder } from '../core/wire/index.ts';
import { type NetLink, TcpLink } from '../net/index.ts';
import type { BufferBudget } from './buffer-budget.ts';
import { ClientBase, type ClientEvents } from './client-base.ts';
import type { ServerLimits } from './limits.ts';
import type { Arrival } from './one-port/arrival.ts';
import { isOnlineRequest } from './one-port/service-of.ts';

export interface TcpClientOptions {
  readonly socket: Socket;
  readonly arrival: Arrival;
  readonly limits: ServerLimits;
  readonly budget: BufferBudget;
  readonly clock: Clock;
  readonly events: ClientEvents;
  /** Offered to a client that says nothing; null on ports without encryption. */
  readonly keyExchange: ServerKeyExchange | null;
  /** It has been silent for long enough already: it is offered at once. */
  readonly silent?: boolean;
  /** The client took the greeting and went without a word: it may have another key. */
  readonly onGreetingRefused?: () => void;
}

/** ms that a closing connection may take to deliver what was sent. */
const LINGER_MS = 5_000;

export class TcpClient extends ClientBase {
  readonly kind = 'tcp';
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder;
  readonly #limits: ServerLimits;
  readonly #budget: BufferBudget;
  /** Bytes of an unfinished frame that the budget knows of. */
  #held = 0;
  readonly #clock: Clock;
  readonly #keyExchange: ServerKeyExchange | null;
  #sealed: SealedStream | null = null;
  #greeted = false;
  /** Told the greeting, and nothing has come since. */
  #unanswered = false;
  #cancelGreeting: (() => void) | undefined;
  #cancelLinger: (() => void) | undefined;
  #closing = false;
  #letGo: () => void;

  constructor(options: TcpClientOptions) {
    super(options.arrival, options.limits, options.clock, options.events);
    this.#socket = options.socket;
    this.#clock = options.clock;
    this.#keyExchange = options.keyExchange;
    this.#limits = options.limits;
    this.#budget = options.budget;
    this.#decoder = new FrameDecoder({ maxPayload: options.limits.maxOnlineQueryBytes });
    const socket = options.socket;
    socket.setNoDelay(true);
    const onData = (chunk: Uint8Array): void => this.#onData(chunk);
    // A client that half-closes after its request still gets the answer (rendezvous §1.2); the frame timer ends it. One
    // that has nothing to wait for is gone, and so is a registration that cannot answer heartbeats any more.
    const onEnd = (): void => {
      if (this.presence || !options.events.waits(this)) this.close();
    };
    const onError = (): void => void socket.destroy();
    const onClose = (): void => {
      if (this.#unanswered) options.onGreetingRefused?.();
      this.#over();
    };
    socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
    this.#letGo = () => void socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
    // Not at once: a client that sends one message and closes without reading would answer the greeting with RST, and its
    // message could be lost with it (rendezvous §6.9).
    if (this.#keyExchange)
      this.#cancelGreeting = options.clock.setTimer(options.silent ? 0 : options.limits.greetingDelayMs, () => this.#greet());
    options.events.onOpen?.(this);
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#socket.end();
    this.#cancelLinger = this.#clock.setTimer(LINGER_MS, () => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  takeLink(): NetLink | null {
    if (this.#sealed || this.#closing || this.closed) return null;
    this.#closing = true;
    this.#letGo();
    const rest = this.#decoder.takeRest();
    if (rest.length > 0) this.#socket.unshift(rest);
    this.#over();
    return new TcpLink(this.#socket, { maxPayload: this.#limits.maxFrameBytes });
  }

  protected write(payload: Uint8Array): void {
    if (this.#closing) return;
    this.#socket.write(encodeFrame(this.#sealed && payload.length > 0 ? this.#sealed.seal(payload) : payload));
  }

  protected unsentBytes(): number {
    return this.#socket.writableLength;
  }

  #greet(): void {
    if (!this.#keyExchange || this.closed || this.#closing) return;
    this.#greeted = true;
    this.#unanswered = true;
    this.write(this.#keyExchange.greeting);
  }

  #over(): void {
    this.#cancelGreeting?.();
    this.#cancelLinger?.();
    this.#hold(0);
    this.ended();
  }

  #onData(chunk: Uint8Array): void {
    this.#cancelGreeting?.();
    this.#unanswered = false;
    // What comes behind a close is read and dropped: unread bytes would turn our FIN into an RST that eats the answer.
    if (this.#closing) return;
    try {
      for (const frame of this.#decoder.push(chunk)) {
        if (this.#closing) break;
        if (frame.length > this.#limits.maxFrameBytes && !isOnlineRequest(frame)) return this.cut('client-too-long');
        this.#onFrame(frame);
      }
      if (this.#closing || this.closed) return;
      const { buffered } = this.#decoder;
      if (!this.#hold(buffered) || (buffered > this.#limits.maxFrameBytes && !this.#mayBeLong())) this.cut('client-too-long');
    } catch {
      this.cut('client-garbled');
    }
  }

  #hold(bytes: number): boolean {
    const fits = this.#budget.change(this.#held, bytes);
    this.#held = bytes;
    return fits;
  }

  /** Only an online query may be longer than a frame of the others (rendezvous §6.8). */
  #mayBeLong(): boolean {
    const { incomplete } = this.#decoder;
    return isOnlineRequest(incomplete.subarray(((incomplete[0] ?? 0) & 3) + 1));
  }

  #onFrame(frame: Uint8Array): void {
    if (this.#sealed) return this.received(frame.length > 1 ? this.#sealed.open(frame) : frame);
    if (this.#greeted && this.#keyExchange) {
      // Only the first frame may be the answer to the greeting.
      this.#greeted = false;
      const message = tryDecode(frame);
      if (message?.union === 'keyExchange') {
        const key = this.#keyExchange.accept(message.keyExchange ?? {});
        if (!key) return this.destroy();
        this.#sealed = new SealedStream(key);
        return;
      }
    }
    this.received(frame);
  }
}

function tryDecode(frame: Uint8Array): ReturnType<typeof decodeRendezvous> | null {
  try {
    return decodeRendezvous(frame);
  } catch {
    return null;
  }
}
