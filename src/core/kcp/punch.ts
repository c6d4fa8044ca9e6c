/**
 * The phase before KCP in which both sides open their NATs with empty datagrams (rendezvous §10.1). The connector is
 * through when anything arrives from the peer; the acceptor when the first non-empty datagram does, which then belongs
 * to the endpoint.
 */
const FIRST_INTERVAL_MS = 20;
const MAX_INTERVAL_MS = 200;
export const PUNCH_TIMEOUT_MS = 20_000;

export type PunchState = 'punching' | 'through' | 'timed-out';

export class Punch {
  readonly role: 'connector' | 'acceptor';
  readonly #deadline: number;
  #state: PunchState = 'punching';
  #nextAt: number;
  #interval = FIRST_INTERVAL_MS;

  /** The first datagram is due at `nowMs`. */
  constructor(options: { role: 'connector' | 'acceptor'; nowMs: number; timeoutMs?: number }) {
    this.role = options.role;
    this.#nextAt = options.nowMs;
    this.#deadline = options.nowMs + (options.timeoutMs ?? PUNCH_TIMEOUT_MS);
  }

  get state(): PunchState {
    return this.#state;
  }

  /** A datagram from the peer's address. True: it is the first one for the endpoint. */
  handle(datagram: Uint8Array): boolean {
    if (this.#state !== 'punching') return false;
    if (this.role === 'connector' || datagram.length > 0) this.#state = 'through';
    return this.#state === 'through' && datagram.length > 0;
  }

  /** True: send one empty datagram now. */
  pollTransmit(nowMs: number): boolean {
    if (this.#state !== 'punching') return false;
    if (nowMs >= this.#deadline) {
      this.#state = 'timed-out';
      return false;
    }
    if (nowMs < this.#nextAt) return false;
    this.#nextAt = nowMs + this.#interval;
    this.#interval = Math.min(Math.floor(this.#interval * 1.5), MAX_INTERVAL_MS);
    return true;
  }

  /** When to call pollTransmit next, in ms of the same clock; Infinity when the phase is over. */
  pollTimeout(): number {
    return this.#state === 'punching' ? Math.min(this.#nextAt, this.#deadline) : Infinity;
  }
}
