/**
 * One conversation begun over several connections at once: what is sent goes by all of them until the first frame comes back by
 * one, which carries the rest; the others are cut. For a place at the relay, where the other end is joined to one of them.
 */
import type { Duplex } from 'node:stream';
import { joinParts, type LinkClose, type LinkHandlers, type LinkStats, PAYLOAD_LIMITS, sendParts, type Transport } from '../core/link.ts';
import { overflowError } from './errors.ts';
import type { NetLink } from './net-link.ts';

/** Bytes that may be sent before it is decided: the first frame of a key exchange, many times over. */
const MAX_FIRST_BYTES = 64 * 1024;

export interface Racer {
  readonly link: NetLink;
  /** What only this one is sent, before all the rest. */
  readonly greeting: Uint8Array | null;
}

export class RacedLink implements NetLink {
  readonly #racers = new Set<NetLink>();
  readonly #sent: Uint8Array[] = [];
  readonly #onMet: () => void;
  readonly #onSettled: () => void;
  #sentBytes = 0;
  /** Connections that may still come. */
  #expected: number;
  #winner: NetLink | null = null;
  /** The frame that decided, until somebody takes it. */
  #first: Uint8Array | null = null;
  #handlers: LinkHandlers | null = null;
  #close: LinkClose | null = null;
  /** The end of the one that won, before it was handed over. */
  #winnerEnd: LinkClose | null = null;
  #paused = false;
  #maxPayload: number = PAYLOAD_LIMITS.handshake;
  /** Resolves when the first frame is here: there is somebody. Never, when nobody comes. */
  readonly met: Promise<void>;

  /**
   * @param expected how many connections are to come, by `add` or `lost`
   * @param onSettled one has won, or it is over: no more are wanted
   */
  constructor(expected: number, onSettled: () => void = () => {}) {
    this.#expected = expected;
    this.#onSettled = onSettled;
    let onMet = (): void => {};
    this.met = new Promise((resolve) => {
      onMet = resolve;
    });
    this.#onMet = onMet;
  }

  /** One more connection; `greeting` is sent by it first. */
  add({ link, greeting }: Racer): void {
    this.#expected -= 1;
    if (this.closed || this.#winner) return link.destroy();
    this.#racers.add(link);
    link.setMaxPayload(this.#maxPayload);
    if (greeting) link.send(greeting);
    for (const payload of this.#sent) link.send(payload);
    link.setHandlers({
      onFrame: (payload) => this.#decide(link, payload),
      onClose: (close) => this.#gone(link, close),
    });
  }

  /** One that was expected does not come. */
  lost(error: Error): void {
    this.#expected -= 1;
    this.#endWhenAlone({ by: 'error', error });
  }

  get transport(): Transport {
    return this.#any?.transport ?? 'tcp';
  }
  get localAddress(): string {
    return this.#any?.localAddress ?? '';
  }
  get remoteAddress(): string {
    return this.#any?.remoteAddress ?? '';
  }
  get stats(): LinkStats {
    return this.#any?.stats ?? { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 };
  }
  get bufferedBytes(): number {
    return this.#any?.bufferedBytes ?? 0;
  }
  get closed(): boolean {
    return this.#close !== null || (this.#winner?.closed ?? false);
  }

  setHandlers(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.#deliver();
  }

  send(payload: Uint8Array): boolean {
    if (this.#winner) return this.#winner.send(payload);
    if (this.closed) return false;
    this.#sentBytes += payload.length;
    if (this.#sentBytes > MAX_FIRST_BYTES) {
      this.destroy(overflowError(this.remoteAddress));
      return false;
    }
    this.#sent.push(payload);
    for (const link of this.#racers) link.send(payload);
    return true;
  }

  sendParts(parts: readonly Uint8Array[], owned = false): boolean {
    return this.#winner ? sendParts(this.#winner, parts, owned) : this.send(joinParts(parts));
  }

  setMaxPayload(bytes: number): void {
    this.#maxPayload = bytes;
    this.#winner?.setMaxPayload(bytes);
    for (const link of this.#racers) link.setMaxPayload(bytes);
  }

  pause(): void {
    this.#paused = true;
    this.#winner?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  close(): void {
    if (this.#winner) return this.#winner.close();
    this.destroy();
  }

  destroy(error?: Error): void {
    if (this.#winner) return this.#winner.destroy(error);
    if (this.#close) return;
    this.#end(error ? { by: 'error', error } : { by: 'local' });
  }

  takeRaw(): Duplex {
    if (!this.#winner) throw new Error('nobody has answered yet: there is no stream to take');
    return this.#winner.takeRaw();
  }

  get #any(): NetLink | undefined {
    return this.#winner ?? this.#racers.values().next().value;
  }

  #decide(link: NetLink, payload: Uint8Array): void {
    if (this.#winner || this.#close) return;
    this.#winner = link;
    this.#first = payload;
    link.pause();
    for (const other of this.#racers) if (other !== link) other.destroy();
    this.#racers.clear();
    this.#sent.length = 0;
    this.#onSettled();
    this.#onMet();
    this.#deliver();
  }

  /** Hands the first frame over, and the link with it. */
  #deliver(): void {
    const handlers = this.#handlers;
    const winner = this.#winner;
    if (!winner) return this.#tellEnd();
    if (!handlers || this.#paused) return;
    const first = this.#first;
    this.#first = null;
    winner.setHandlers(handlers);
    if (first) handlers.onFrame(first);
    // It ended while its first frame waited here; nobody else hears of that.
    if (this.#winnerEnd) queueMicrotask(() => this.#tellEnd());
    else if (!this.#paused) winner.resume();
  }

  #gone(link: NetLink, close: LinkClose): void {
    if (this.#winner === link) this.#winnerEnd = close;
    else if (this.#racers.delete(link)) this.#endWhenAlone(close);
  }

  #endWhenAlone(close: LinkClose): void {
    if (this.#winner || this.#close) return;
    if (this.#expected <= 0 && this.#racers.size === 0) this.#end(close);
  }

  #end(close: LinkClose): void {
    this.#close = close;
    this.#onSettled();
    for (const link of this.#racers) link.destroy();
    this.#racers.clear();
    queueMicrotask(() => this.#tellEnd());
  }

  #tellEnd(): void {
    const handlers = this.#handlers;
    const close = this.#winner ? this.#winnerEnd : this.#close;
    if (!handlers || !close) return;
    this.#handlers = null;
    handlers.onClose(close);
  }
}
