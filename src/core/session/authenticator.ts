import type { Clock } from '../clock.ts';
import {
  constantTimeEqual,
  passwordHash,
  passwordProof,
  randomText,
  DIGITS,
  TEXT_ALPHABET,
} from '../crypto/password.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { Emitter } from '../emitter.ts';
import { AttemptLimits } from './attempt-limits.ts';
import * as limits from './limits.ts';
import { ShareLimits } from './share-limits.ts';

export type ApproveMode = 'password' | 'click' | 'both';

export interface HostAuthenticatorOptions {
  clock: Clock;
  random: RandomBytes;
  /** Generated once and kept: remembered passwords of controllers hang on it (session §2.4). */
  salt: string;
  approveMode?: ApproveMode;
  /** SHA-256(password ‖ salt) of the permanent password; wins over `permanentPassword`. */
  permanentH1?: Uint8Array | null;
  permanentPassword?: string | null;
  /** 6 (default), 8 or 10 characters (session §2.6). */
  oneTimeLength?: number;
  /** Digits only. */
  oneTimeNumeric?: boolean;
}

export interface HostAuthenticatorEvents {
  /** The one-time password changed; the payload is the new one. */
  change: string;
}

/** One authorised session whose password stays good for a short reconnect (session §2.8). */
export interface RecentSession {
  /** A byte came from the peer: the time of grace starts again. */
  touch(): void;
  /** The session was closed on purpose: no grace. */
  drop(): void;
}

/** What identifies a controller's window over reconnects (session §2.8). */
export interface SessionKey {
  myId: string;
  myName: string;
  sessionId: bigint;
}

/** Whether a peer proved to know the password that is kept as this h1; how depends on the link. */
export type PasswordCheck = (h1: Uint8Array) => boolean;

/** The proof of stock links (session §2.4). */
export function proofCheck(proof: Uint8Array, challenge: string): PasswordCheck {
  return (h1) => constantTimeEqual(passwordProof(h1, challenge), proof);
}

export type ProofResult = { ok: true; h1: Uint8Array; oneTime: boolean } | { ok: false; error: string };

interface RecentEntry {
  myId: string;
  h1: Uint8Array;
  seenAt: number;
}

/**
 * Decides who may log in; one per process, shared by all host sessions, so that attempt limits and the one-time
 * password hold for all of them together. Keeps the proof-capable hash of the permanent password, never its text.
 */
export class HostAuthenticator extends Emitter<HostAuthenticatorEvents> {
  readonly salt: string;
  approveMode: ApproveMode;
  readonly #clock: Clock;
  readonly #random: RandomBytes;
  readonly #length: number;
  readonly #alphabet: string;
  readonly #attempts: AttemptLimits;
  readonly #shares: ShareLimits;
  readonly #recent = new Map<string, RecentEntry>();
  #permanentH1: Uint8Array | null;
  #oneTime = '';
  #oneTimeH1: Uint8Array = new Uint8Array();
  #wrongInARow = 0;

  constructor(options: HostAuthenticatorOptions) {
    super();
    this.salt = options.salt;
    this.approveMode = options.approveMode ?? 'both';
    this.#clock = options.clock;
    this.#random = options.random;
    this.#length = options.oneTimeLength ?? 6;
    this.#alphabet = options.oneTimeNumeric ? DIGITS : TEXT_ALPHABET;
    this.#attempts = new AttemptLimits(options.clock);
    this.#shares = new ShareLimits(options.clock);
    this.#permanentH1 =
      options.permanentH1 ??
      (options.permanentPassword ? passwordHash(options.permanentPassword, this.salt) : null);
    this.#setOneTime();
  }

  get oneTimePassword(): string {
    return this.#oneTime;
  }

  get hasPermanentPassword(): boolean {
    return this.#permanentH1 !== null;
  }

  /** Makes a new one-time password and tells about it; what the old one had opened stays open. */
  renew(): void {
    this.#setOneTime();
    this.emit('change', this.#oneTime);
  }

  /** Sets (or with null or '' removes) the permanent password; the answer is its hash, which is what to store. */
  setPermanentPassword(password: string | null): Uint8Array | null {
    this.#permanentH1 = password ? passwordHash(password, this.salt) : null;
    return this.#permanentH1;
  }

  setPermanentH1(h1: Uint8Array | null): void {
    this.#permanentH1 = h1;
  }

  /** A fresh challenge for one connection (session §2.3). */
  challenge(): string {
    return randomText(this.#random, 6);
  }

  /** The text to refuse with, or null when `address` (an IP without port) may try a password (session §2.6). */
  blocked(address: string): string | null {
    return this.#attempts.blocked(address);
  }

  /** Whether CPace shares may be made for `address` now; counts them. */
  admitShares(address: string): boolean {
    return this.#shares.take(address);
  }

  /**
   * h1 of each password that could be taken now: one-time, permanent, and that of the newest session which has just broken off
   * under this controller's id. Null where there is none; a null id has none.
   */
  candidates(myId: string | null): (Uint8Array | null)[] {
    let recent: RecentEntry | null = null;
    for (const entry of this.#recent.values())
      if (entry.myId === myId && this.#clock.now() - entry.seenAt <= limits.RECENT_SESSION_MS) recent = entry;
    return [this.#oneTimeH1, this.#permanentH1, recent?.h1 ?? null];
  }

  /**
   * Judges a proof from `address` (an IP without port). Wrong ones are counted; above the limits even right
   * ones are refused, with the text to send (session §2.6).
   */
  verify(check: PasswordCheck, address: string): ProofResult {
    const blocked = this.#attempts.blocked(address);
    if (blocked) return { ok: false, error: blocked };
    // Both are always computed: the time taken must not tell which kind of password exists.
    const oneTime = check(this.#oneTimeH1);
    const permanent = check(this.#permanentH1 ?? this.#oneTimeH1);
    if (oneTime || (permanent && this.#permanentH1)) {
      this.#attempts.succeeded(address);
      this.#wrongInARow = 0;
      return { ok: true, h1: oneTime ? this.#oneTimeH1 : (this.#permanentH1 ?? this.#oneTimeH1), oneTime };
    }
    this.#attempts.failed(address);
    if (++this.#wrongInARow >= limits.ATTEMPTS_BEFORE_ROTATION) {
      this.#wrongInARow = 0;
      this.renew();
    }
    return { ok: false, error: 'Wrong Password' };
  }

  /** h1 of the session of this key that broke less than 30 s ago, if the proof fits the password it had (session §2.8). */
  verifyRecent(key: SessionKey, check: PasswordCheck): Uint8Array | null {
    const entry = this.#recentEntry(key);
    return entry && check(entry.h1) ? entry.h1 : null;
  }

  /** Remembers an authorised session; its owner calls `touch` on every frame and `drop` on a close in order. */
  openRecent(key: SessionKey, h1: Uint8Array): RecentSession {
    const name = keyName(key);
    const entry: RecentEntry = { myId: key.myId, h1, seenAt: this.#clock.now() };
    this.#recent.delete(name);
    this.#recent.set(name, entry);
    if (this.#recent.size > limits.MAX_RECENT_SESSIONS) {
      const oldest = this.#recent.keys().next();
      if (!oldest.done) this.#recent.delete(oldest.value);
    }
    return {
      touch: () => {
        entry.seenAt = this.#clock.now();
      },
      drop: () => {
        if (this.#recent.get(name) === entry) this.#recent.delete(name);
      },
    };
  }

  /** An authorised connection ended: the one-time password changes (session §2.6). */
  sessionEnded(): void {
    this.renew();
  }

  #recentEntry(key: SessionKey): RecentEntry | null {
    const name = keyName(key);
    const entry = this.#recent.get(name);
    if (!entry) return null;
    if (this.#clock.now() - entry.seenAt <= limits.RECENT_SESSION_MS) return entry;
    this.#recent.delete(name);
    return null;
  }

  #setOneTime(): void {
    this.#oneTime = randomText(this.#random, this.#length, this.#alphabet);
    this.#oneTimeH1 = passwordHash(this.#oneTime, this.salt);
  }
}

function keyName(key: SessionKey): string {
  return JSON.stringify([key.myId, key.myName, key.sessionId.toString()]);
}
