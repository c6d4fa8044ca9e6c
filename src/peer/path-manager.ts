/**
 * Looks for a better path while a native session runs over whatever stood first, normally the relay: in rounds, at once when the
 * session stands or a network changes, then with growing pauses.
 */
import type { Clock } from '../core/clock.ts';
import type { RandomBytes } from '../core/crypto/random.ts';
import type { Link } from '../core/link.ts';
import { PATH_LIMITS } from '../core/nat/limits.ts';
import { decodeOffer, encodeOffer } from '../core/nat/offer.ts';
import type { PathRole } from '../core/nat/probe-packet.ts';
import { SprayAllowance } from '../core/nat/spray.ts';
import type { PathKind } from '../core/native/contract.ts';
import type { HostPort } from '../core/wire/index.ts';
import type { NetLink } from '../net/index.ts';
import { localAddresses } from '../net/local-addresses.ts';
import type { PairMemory } from './path-memory.ts';
import { type PathAttempt, PathRecord } from './path-record.ts';
import { type PathPortMapper, PathRound } from './path-round.ts';

/** Rounds that the other side may begin in a minute; each costs us sockets and two questions to the server. */
const MAX_ROUNDS_PER_MINUTE = 12;
/** A change of networks comes in several steps (address gone, address there); the round begins when they have settled. */
const SETTLE_MS = 200;

export interface PathManagerOptions {
  readonly role: PathRole;
  /** CHANNEL.paths of the session's link. */
  readonly channel: Link;
  /** Of the native handshake. */
  readonly sessionSecret: Uint8Array;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Ports of the server that answer NAT tests, the main one first; asked for at each round. */
  readonly servers: (signal: AbortSignal) => Promise<readonly HostPort[]>;
  readonly mapper: PathPortMapper | null;
  /** Whether the session goes a direct way now. */
  readonly hasDirect: () => boolean;
  /** Runs the key exchange that joins the session and adds the path. */
  readonly join: (link: NetLink, kind: PathKind, signal: AbortSignal) => Promise<void>;
  /** What worked between these two before. */
  readonly memory: PairMemory | null;
  readonly onAttempt?: (attempt: PathAttempt) => void;
}

export class PathManager {
  readonly #options: PathManagerOptions;
  readonly #record = new PathRecord();
  readonly #allowance = new SprayAllowance();
  readonly #epochMs: number;
  readonly #begun: number[] = [];
  #round: PathRound | null = null;
  #number = 0;
  #failures = 0;
  #cancelNext: (() => void) | null = null;
  #closed = false;
  #hadDirect = false;

  constructor(options: PathManagerOptions) {
    this.#options = options;
    this.#epochMs = options.clock.now();
    options.channel.setMaxPayload(PATH_LIMITS.maxMessageBytes);
    options.channel.setHandlers({ onFrame: (payload) => this.#onMessage(payload), onClose: () => this.close() });
    // The host follows: whoever connected knows whether another path is wanted at all.
    if (options.role === 'controller' && !options.hasDirect()) this.#begin(1);
  }

  /** Everything that was tried so far. */
  get attempts(): readonly PathAttempt[] {
    return this.#record.attempts;
  }

  /** A network of this computer changed: what failed before may work now, and what worked may be gone. */
  networkChanged(): void {
    this.#failures = 0;
    this.#next(SETTLE_MS);
  }

  /** The session lost a path or moved; looks for a direct one where there is none now, and ends the search where there is. */
  pathsChanged(): void {
    const { hasDirect, role } = this.#options;
    const hadDirect = this.#hadDirect;
    this.#hadDirect = hasDirect();
    if (this.#hadDirect) {
      this.#round?.close();
      return;
    }
    // What worked until now deserves no long pause.
    if (hadDirect) this.#failures = 0;
    if (role === 'controller' && !this.#round && (hadDirect || !this.#cancelNext)) this.#next(0);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelNext?.();
    this.#round?.close();
    this.#round = null;
  }

  #onMessage(payload: Uint8Array): void {
    if (this.#closed) return;
    let offer: ReturnType<typeof decodeOffer>;
    try {
      offer = decodeOffer(payload, localAddresses());
    } catch {
      // The session goes on without better paths: an offer that cannot be read is not worth its end.
      return;
    }
    if (!offer || offer.round < this.#number) return;
    if (offer.round > this.#number && !this.#begin(offer.round)) return;
    this.#round?.take(offer);
  }

  /** False: too many rounds, or none wanted. */
  #begin(number: number): boolean {
    const { clock, channel } = this.#options;
    const now = clock.now();
    while ((this.#begun[0] ?? now) < now - 60_000) this.#begun.shift();
    if (this.#closed || this.#begun.length >= MAX_ROUNDS_PER_MINUTE) return false;
    this.#begun.push(now);
    this.#cancelNext?.();
    this.#cancelNext = null;
    this.#round?.close();
    this.#number = number;
    const { role, sessionSecret, random, mapper, join, servers, memory } = this.#options;
    const round = new PathRound({
      ...{ round: number, role, sessionSecret, clock, random, mapper, join },
      allowance: this.#allowance,
      servers,
      best: memory?.best() ?? null,
      epochMs: this.#epochMs,
      send: (offer) => void channel.send(encodeOffer(offer)),
      onAttempt: (attempt) => {
        this.#record.add(attempt);
        if (attempt.outcome === 'ok') memory?.worked(attempt.way);
        this.#options.onAttempt?.(attempt);
      },
    });
    this.#round = round;
    void round.result.then((found) => {
      if (this.#round !== round) return;
      this.#round = null;
      this.#onEnded(found);
    });
    return true;
  }

  #onEnded(found: boolean): void {
    if (found) {
      this.#failures = 0;
      return;
    }
    this.#options.memory?.failed();
    const pauses = PATH_LIMITS.roundBackoffMs;
    const pauseMs = pauses[Math.min(this.#failures, pauses.length - 1)] ?? 0;
    this.#failures += 1;
    // One side is enough, and both would begin two rounds.
    if (this.#options.role === 'controller') this.#next(pauseMs);
  }

  #next(delayMs: number): void {
    if (this.#closed) return;
    this.#cancelNext?.();
    this.#cancelNext = this.#options.clock.setTimer(delayMs, () => {
      this.#cancelNext = null;
      if (!this.#options.hasDirect()) this.#begin(this.#number + 1);
    });
  }
}
