/** Two ends joined: what one sends the other gets, no faster than it reads and the limits allow (rendezvous §7.4, §7.6). */
import type { Clock } from '../core/clock.ts';
import type { Bandwidth } from './bandwidth.ts';
import type { RelayEnd } from './relay-end.ts';

/** ms that what was sent may take to leave after one end has gone. */
const FLUSH_MS = 5_000;

let lastSerial = 0;

/** Why an end is not read at the moment. */
interface Flow {
  readonly from: RelayEnd;
  readonly to: RelayEnd;
  blocked: boolean;
  cancelRest: (() => void) | undefined;
}

export class RelayPair {
  readonly #clock: Clock;
  readonly #limits: readonly Bandwidth[];
  readonly #flows: readonly [Flow, Flow];
  readonly #onClosed: (pair: RelayPair) => void;
  readonly #open: Set<RelayEnd>;
  #cancelFlush: (() => void) | undefined;
  #closed = false;
  /** Unique in this process; names the session to an operator. */
  readonly serial = ++lastSerial;
  /** Where the two come from. */
  readonly hosts: readonly [string, string];
  /** When the two met, ms. */
  readonly since: number;
  /** When data or a sign of life last came from either end, ms. */
  lastTrafficAt: number;
  /** Bytes forwarded, both directions. */
  bytes = 0;

  /** Joins two ends; both start paused or with events not yet delivered, and are read from here on. */
  constructor(a: RelayEnd, b: RelayEnd, limits: readonly Bandwidth[], clock: Clock, onClosed: (pair: RelayPair) => void) {
    this.#clock = clock;
    this.#limits = limits;
    this.#onClosed = onClosed;
    this.#open = new Set([a, b]);
    this.hosts = [a.host, b.host];
    this.since = clock.now();
    this.lastTrafficAt = this.since;
    this.#flows = [newFlow(a, b), newFlow(b, a)];
    if (a.kind === 'ws' || b.kind === 'ws') {
      a.useFrames();
      b.useFrames();
    } else {
      a.useRaw();
      b.useRaw();
    }
    for (const flow of this.#flows) this.#wire(flow);
  }

  /** Cuts both ends. */
  destroy(): void {
    for (const { from } of this.#flows) from.destroy();
    this.#finish();
  }

  #wire(flow: Flow): void {
    const { from, to } = flow;
    const back = this.#flows.find((other) => other.from === to);
    from.setEvents({
      onData: (data) => this.#forward(flow, data),
      onSign: () => {
        this.lastTrafficAt = this.#clock.now();
      },
      // A half-close goes on to the other end, whose own data still comes back.
      onEnd: () => to.end(),
      onDrain: () => {
        if (!back) return;
        back.blocked = false;
        this.#resume(back);
      },
      onClose: () => this.#onEndClosed(from, to),
    });
  }

  /** @returns as EndEvents.onData */
  #forward(flow: Flow, data: Uint8Array): boolean {
    if (this.#closed) return true;
    this.lastTrafficAt = this.#clock.now();
    this.bytes += data.length;
    const more = flow.to.write(data);
    if (!more) {
      flow.blocked = true;
      flow.from.pause();
    }
    this.#limit(flow, data.length);
    // An end that was just blocked is not read before all is flushed.
    return !more || flow.to.flushed;
  }

  #limit(flow: Flow, bytes: number): void {
    let restMs = 0;
    for (const limit of this.#limits) restMs = Math.max(restMs, limit.take(bytes));
    if (restMs === 0 || flow.cancelRest) return;
    flow.from.pause();
    flow.cancelRest = this.#clock.setTimer(restMs, () => {
      flow.cancelRest = undefined;
      this.#resume(flow);
    });
  }

  #resume(flow: Flow): void {
    if (!this.#closed && !flow.blocked && !flow.cancelRest) flow.from.resume();
  }

  #onEndClosed(gone: RelayEnd, other: RelayEnd): void {
    this.#open.delete(gone);
    if (this.#open.size === 0) return this.#finish();
    // What the gone end had sent still leaves, if the other end reads it in time.
    other.end();
    other.resume();
    this.#cancelFlush ??= this.#clock.setTimer(FLUSH_MS, () => this.destroy());
  }

  #finish(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelFlush?.();
    for (const flow of this.#flows) flow.cancelRest?.();
    this.#onClosed(this);
  }
}

function newFlow(from: RelayEnd, to: RelayEnd): Flow {
  return { from, to, blocked: false, cancelRest: undefined };
}
