/**
 * Which of several paths makes the session: the first whose host makes an offer. The offers of the others wait until that
 * handshake is done (a round trip), and are then answered as further paths of its session.
 */
import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '../core/clock.ts';
import type { LinkHandlers } from '../core/link.ts';
import type { SessionTicket } from '../core/native/key-schedule.ts';
import { DelegatedLink } from '../net/delegated-link.ts';
import type { NetLink, SecuredLink } from '../net/index.ts';

/**
 * ms that others wait for the path that makes the session. Its handshake is a round trip; whoever holds one path must not be
 * able to hold up the rest by falling silent in the middle of it.
 */
export const FOUNDING_MS = 1_500;

export class SessionFounder {
  readonly #clock: Clock;
  #ticket: SessionTicket | null;
  #founding: HeldLink | null = null;
  #cancelLimit: (() => void) | null = null;
  readonly #waiting: HeldLink[] = [];

  /** @param ticket of a session that is there already: nobody waits for anybody. */
  constructor(ticket: SessionTicket | null, clock: Clock = systemClock) {
    this.#ticket = ticket;
    this.#clock = clock;
  }

  /** What a path joins; null: it makes the session, if both ends know how. */
  get ticket(): SessionTicket | null {
    return this.#ticket;
  }

  /** Runs one key exchange over `link`, whose first frame is held while another path makes the session. */
  async found(link: NetLink, exchange: (held: NetLink) => Promise<SecuredLink>): Promise<SecuredLink> {
    const held = new HeldLink(link, () => this.#offered(held));
    try {
      const secured = await exchange(held);
      const { native } = secured;
      if (native) this.#ticket ??= { sessionId: native.sessionId, sessionSecret: native.sessionSecret };
      return secured;
    } finally {
      this.#done(held);
    }
  }

  #offered(held: HeldLink): void {
    if (this.#ticket === null && this.#founding !== null) {
      this.#waiting.push(held);
      const founding = this.#founding;
      this.#cancelLimit ??= this.#clock.setTimer(FOUNDING_MS, () =>
        founding.destroy(new Error('the other end fell silent during the key exchange, and other paths were waiting')),
      );
      return;
    }
    if (this.#ticket === null) this.#founding = held;
    held.release();
  }

  #done(held: HeldLink): void {
    const index = this.#waiting.indexOf(held);
    if (index >= 0) this.#waiting.splice(index, 1);
    // Where nobody waits any more it may take its time again.
    if (this.#founding === held || this.#waiting.length === 0) {
      this.#cancelLimit?.();
      this.#cancelLimit = null;
    }
    if (this.#founding !== held) return;
    this.#founding = null;
    // After a failure the next one makes the session; after a success all of them join it.
    for (const next of this.#waiting.splice(0)) this.#offered(next);
  }
}

/** A link whose first frame is delivered when somebody says so. */
class HeldLink extends DelegatedLink implements NetLink {
  readonly #onFirst: () => void;
  #handlers: LinkHandlers | null = null;
  #first: Uint8Array | null = null;
  #released = false;
  #paused = false;

  constructor(link: NetLink, onFirst: () => void) {
    super(link);
    this.#onFirst = onFirst;
  }

  release(): void {
    const first = this.#first;
    const handlers = this.#handlers;
    this.#released = true;
    this.#first = null;
    if (this.below.closed || !handlers || !first) return;
    this.below.setHandlers(handlers);
    handlers.onFrame(first);
    if (!this.#paused) this.below.resume();
  }

  setHandlers(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    if (this.#released) {
      this.below.setHandlers(handlers);
      return;
    }
    this.below.setHandlers({
      onFrame: (payload) => {
        this.#first = payload;
        this.below.pause();
        this.#onFirst();
      },
      onClose: (close) => this.#handlers?.onClose(close),
    });
  }

  override pause(): void {
    this.#paused = true;
    this.below.pause();
  }
  override resume(): void {
    this.#paused = false;
    if (!this.#first) this.below.resume();
  }
  takeRaw(): Duplex {
    return this.below.takeRaw();
  }
}
