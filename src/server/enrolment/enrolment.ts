/**
 * Which new computers may register. Those that are in the store are enrolled and never asked again; a new one is taken by
 * everybody's leave (`open`), with an invitation's token (`token`), or when the operator has said yes (`approval`).
 *
 * A stock client cannot send a token, so under `token` it is listed as waiting too, and the operator may approve it. It is
 * told NOT_DEPLOYED, on which it asks again every 30 s (rendezvous §5.3).
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import {
  checkEnrolment,
  type Enrolling,
  nameOfProof,
  newEnrolmentToken,
  tokenName,
  tokenVerifier,
} from '../../core/crypto/index.ts';
import type { ServerLimits } from '../limits.ts';
import { type Decision, type EnrolmentState, type EnrolmentStore, MAX_DECISIONS, MAX_TOKENS, type StoredToken } from './state.ts';
import type { EnrolmentNews } from './shared.ts';
import { notWaiting, tooMany, unknownToken } from './errors.ts';
import { KeyQuota } from './key-quota.ts';
import { infoOf, stateOf, type TokenInfo } from './token-info.ts';
import { type Waiting, WaitingComputers } from './waiting.ts';

export type EnrolmentMode = 'open' | 'token' | 'approval';

export interface EnrolmentOptions {
  readonly mode: EnrolmentMode;
  readonly store: EnrolmentStore;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  /** The server's keys as clients configure them, the newest first: a proof names one of them. */
  readonly serverKeys: () => readonly string[];
  /** Unix time in ms. */
  readonly unixMs?: () => number;
  /** Tells the other nodes. */
  readonly tell?: (news: EnrolmentNews) => void;
}

/** A computer that asks to be taken. */
export interface Candidate extends Enrolling {
  readonly host: string;
  /** Proof of a token; empty from stock clients. */
  readonly proof: Uint8Array;
}

export type Refusal = 'enrol-needs-token' | 'enrol-bad-token' | 'enrol-waits' | 'enrol-denied' | 'enrol-key-quota' | 'enrol-not-saved';

/** Taken, and what to do once it is known whether the computer is in the store. */
export interface Admitted {
  settle(registered: boolean): void;
}

/** ms between two times that the other nodes are told of one computer that waits; it asks every 30 s. */
const TELL_WAITING_MS = 600_000;
const NOTHING: Admitted = { settle: () => {} };

export class Enrolment {
  readonly #o: EnrolmentOptions;
  readonly #unixMs: () => number;
  readonly #tokens = new Map<string, StoredToken>();
  readonly #decisions = new Map<string, Decision>();
  readonly #waiting: WaitingComputers;
  readonly #keyQuota: KeyQuota;

  /** @throws LiteDeskError ENROLMENT_FILE_BROKEN */
  constructor(options: EnrolmentOptions) {
    this.#o = options;
    this.#unixMs = options.unixMs ?? Date.now;
    this.#waiting = new WaitingComputers(options.limits);
    this.#keyQuota = new KeyQuota(options.limits, options.clock);
    this.#adopt(options.store.load());
  }

  get mode(): EnrolmentMode {
    return this.#o.mode;
  }

  /** Whether a computer that is not in the store may register now. */
  admit(candidate: Candidate): Admitted | Refusal {
    if (!this.#keyQuota.allows(candidate.pk, candidate.id)) return 'enrol-key-quota';
    const verdict = this.#o.mode === 'open' ? NOTHING : this.#admitKnown(candidate);
    if (typeof verdict === 'string') return verdict;
    return {
      settle: (registered) => {
        if (registered) this.#keyQuota.count(candidate.pk, candidate.id);
        verdict.settle(registered);
      },
    };
  }

  #admitKnown(candidate: Candidate): Admitted | Refusal {
    // Another process of this host may have been told something meanwhile.
    if (this.#o.store.changed()) this.#reload();
    const device = deviceHash(candidate);
    const decision = this.#decisions.get(candidate.id);
    if (decision?.device === device) {
      if (decision.verdict === 'denied') return 'enrol-denied';
      return { settle: (registered) => registered && this.#forgetDecision(candidate.id) };
    }
    if (candidate.proof.length > 0) {
      const taken = this.#useToken(candidate);
      if (taken !== 'enrol-bad-token' || this.#o.mode === 'token') return taken;
    }
    this.#noteWaiting(candidate, device);
    return this.#o.mode === 'token' ? 'enrol-needs-token' : 'enrol-waits';
  }

  /** A use is written down before the computer is: a crash in between costs a use, but gives none away. */
  #useToken(candidate: Candidate): Admitted | Refusal {
    const name = nameOfProof(candidate.proof);
    const token = name && this.#tokens.get(Buffer.from(name).toString('hex'));
    if (!token || stateOf(token, this.#unixMs()) !== 'good') return 'enrol-bad-token';
    const verifier = new Uint8Array(Buffer.from(token.verifier, 'base64'));
    const known = this.#o.serverKeys().some((key) => checkEnrolment(candidate.proof, verifier, key, candidate));
    if (!known) return 'enrol-bad-token';
    // The tokens of one run of the loop are few and the file is small; what must not be lost is that one was used.
    let used = false;
    try {
      this.#changeToken(token.name, (now) => {
        used = stateOf(now, this.#unixMs()) === 'good';
        return used ? { ...now, uses: now.uses + 1 } : now;
      });
    } catch {
      return 'enrol-not-saved';
    }
    if (!used) return 'enrol-bad-token';
    return {
      settle: (registered) => {
        if (registered) return this.#waiting.drop(candidate.id);
        try {
          this.#changeToken(token.name, (now) => ({ ...now, uses: Math.max(0, now.uses - 1) }));
        } catch {
          // The use stays counted, which is the safe side.
        }
      },
    };
  }

  // What the operator does

  /** Makes a token. It is told here and never again. @throws LiteDeskError ENROLMENT_NOT_SAVED, ENROLMENT_TOO_MANY */
  invite(options: { maxUses: number | null; expiresInMs: number | null; note?: string }): { token: string; info: TokenInfo } {
    const now = this.#unixMs();
    const token = newEnrolmentToken();
    const verifier = tokenVerifier(token);
    const stored: StoredToken = {
      name: Buffer.from(tokenName(verifier)).toString('hex'),
      verifier: Buffer.from(verifier).toString('base64'),
      note: (options.note ?? '').slice(0, 200),
      createdAt: now,
      expiresAt: options.expiresInMs === null ? null : now + options.expiresInMs,
      maxUses: options.maxUses,
      uses: 0,
      revokedAt: null,
    };
    this.#save((state) => {
      const old = state.tokens.length < MAX_TOKENS ? undefined : state.tokens.find((t) => stateOf(t, now) !== 'good');
      if (state.tokens.length >= MAX_TOKENS && !old) throw tooMany();
      return { ...state, tokens: [...state.tokens.filter((t) => t.name !== old?.name), stored] };
    });
    this.#o.tell?.({ news: 'token', token: stored });
    return { token, info: infoOf(stored, now) };
  }

  invitations(): TokenInfo[] {
    if (this.#o.store.changed()) this.#reload();
    const now = this.#unixMs();
    return [...this.#tokens.values()].map((token) => infoOf(token, now));
  }

  /** Computers that enrolled with it stay. `name` may be cut short. @throws LiteDeskError ENROLMENT_UNKNOWN_TOKEN, ENROLMENT_NOT_SAVED */
  revoke(name: string): TokenInfo {
    if (this.#o.store.changed()) this.#reload();
    const fits = name.length < 4 ? [] : [...this.#tokens.values()].filter((token) => token.name.startsWith(name.toLowerCase()));
    const [token] = fits;
    if (!token || fits.length > 1) throw unknownToken(name);
    const now = this.#unixMs();
    const revoked = this.#changeToken(token.name, (stored) => ({ ...stored, revokedAt: stored.revokedAt ?? now }));
    return infoOf(revoked ?? token, now);
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Computers that asked and were not taken, the last one first. */
  waiting(): Waiting[] {
    return this.#waiting.list();
  }

  /** The computer that waits under this id may register the next time it asks. @throws LiteDeskError ENROLMENT_NOT_WAITING */
  approve(id: string): Decision {
    return this.#decide(id, 'approved');
  }

  /** It may not, until it is approved. @throws LiteDeskError ENROLMENT_NOT_WAITING */
  deny(id: string): Decision {
    return this.#decide(id, 'denied');
  }

  denied(): Decision[] {
    if (this.#o.store.changed()) this.#reload();
    return [...this.#decisions.values()].filter(({ verdict }) => verdict === 'denied');
  }

  #decide(id: string, verdict: Decision['verdict']): Decision {
    if (this.#o.store.changed()) this.#reload();
    const device = this.#waiting.get(id)?.full ?? this.#decisions.get(id)?.device;
    if (device === undefined) throw notWaiting(id);
    const decision: Decision = { id, device, verdict, at: this.#unixMs() };
    this.#keep(decision);
    this.#o.tell?.({ news: 'decision', decision });
    return decision;
  }

  #keep(decision: Decision): void {
    this.#save((state) => {
      const others = state.decisions.filter((other) => other.id !== decision.id);
      // The oldest goes; a computer whose denial is forgotten only waits again.
      return { ...state, decisions: [...others.slice(Math.max(0, others.length + 1 - MAX_DECISIONS)), decision] };
    });
    this.#waiting.drop(decision.id);
  }

  // Other nodes

  /** What another node says; where it is new it is kept, and not told on. */
  hear(news: EnrolmentNews): void {
    try {
      if (news.news === 'token') this.#hearToken(news.token);
      else if (news.news === 'decision') this.#hearDecision(news.decision);
      else if (news.news === 'waits') this.#waiting.set(news.waiting);
      else if (news.news === 'asks') this.#tellAll();
    } catch {
      // It cannot be written here; the node that has it goes on with it.
    }
  }

  #hearToken(theirs: StoredToken): void {
    const ours = this.#tokens.get(theirs.name);
    if (!ours) return this.#save((state) => (state.tokens.length >= MAX_TOKENS ? state : { ...state, tokens: [...state.tokens, theirs] }));
    if (ours.uses >= theirs.uses && (ours.revokedAt !== null || theirs.revokedAt === null)) return;
    this.#changeToken(
      theirs.name,
      (now) => ({ ...now, uses: Math.max(now.uses, theirs.uses), revokedAt: now.revokedAt ?? theirs.revokedAt }),
      false,
    );
  }

  #hearDecision(theirs: Decision): void {
    if ((this.#decisions.get(theirs.id)?.at ?? 0) < theirs.at) this.#keep(theirs);
  }

  #tellAll(): void {
    for (const token of this.#tokens.values()) this.#o.tell?.({ news: 'token', token });
    for (const decision of this.#decisions.values()) this.#o.tell?.({ news: 'decision', decision });
    for (const waiting of this.#waiting.values()) this.#o.tell?.({ news: 'waits', waiting });
  }

  // Waiting computers

  #noteWaiting(candidate: Candidate, full: string): void {
    const now = this.#unixMs();
    const before = this.#waiting.get(candidate.id);
    const since = before?.full === full ? before.since : now;
    const waiting = { id: candidate.id, host: candidate.host, full, since, lastSeen: now };
    if (this.#waiting.set(waiting) && (!before || now - before.lastSeen > TELL_WAITING_MS)) this.#o.tell?.({ news: 'waits', waiting });
  }

  /** Forgets computers that have stopped asking. Call now and then. */
  expire(): void {
    this.#waiting.expire(this.#unixMs());
    this.#keyQuota.expire();
  }

  // State

  #forgetDecision(id: string): void {
    try {
      this.#save((state) => ({ ...state, decisions: state.decisions.filter((other) => other.id !== id) }));
    } catch {
      // Kept, it approves once more what is enrolled already.
    }
  }

  /** The token as it is then; undefined when there is none of that name. */
  #changeToken(name: string, change: (token: StoredToken) => StoredToken, tell = true): StoredToken | undefined {
    let changed: StoredToken | undefined;
    this.#save((state) => {
      const tokens = state.tokens.map((token) => (token.name === name ? (changed = change(token)) : token));
      return tokens.every((token, i) => token === state.tokens[i]) ? state : { ...state, tokens };
    });
    if (changed && tell) this.#o.tell?.({ news: 'token', token: changed });
    return changed;
  }

  /** Writes first: what could not be written is not true in memory either. */
  #save(change: (state: EnrolmentState) => EnrolmentState): void {
    this.#adopt(this.#o.store.update(change));
  }

  #reload(): void {
    try {
      this.#adopt(this.#o.store.load());
    } catch {
      // What is known stays; a change says what is wrong with the file.
    }
  }

  #adopt({ tokens, decisions }: EnrolmentState): void {
    this.#tokens.clear();
    this.#decisions.clear();
    for (const token of tokens) this.#tokens.set(token.name, token);
    for (const decision of decisions) this.#decisions.set(decision.id, decision);
  }
}

function deviceHash({ uuid, pk }: Enrolling): string {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(uuid.length);
  return createHash('sha256').update(length).update(uuid).update(pk).digest('hex');
}
