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
import { LiteDeskError } from '../../core/errors.ts';
import type { ServerLimits } from '../limits.ts';
import { type Decision, type EnrolmentState, type EnrolmentStore, MAX_DECISIONS, MAX_TOKENS, type StoredToken } from './state.ts';
import { KeyQuota } from './key-quota.ts';

export type EnrolmentMode = 'open' | 'token' | 'approval';
export const ENROLMENT_MODES: readonly EnrolmentMode[] = ['open', 'token', 'approval'];

export interface EnrolmentOptions {
  readonly mode: EnrolmentMode;
  readonly store: EnrolmentStore;
  readonly limits: ServerLimits;
  readonly clock: Clock;
  /** The server's keys as clients configure them, the newest first: a proof names one of them. */
  readonly serverKeys: () => readonly string[];
  /** Unix time in ms. */
  readonly unixMs?: () => number;
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

export interface Waiting {
  readonly id: string;
  readonly host: string;
  /** Short form of machine and key, to compare with what the computer shows. */
  readonly device: string;
  /** Unix ms. */
  readonly since: number;
  readonly lastSeen: number;
}

export interface TokenInfo {
  readonly name: string;
  readonly note: string;
  readonly state: 'good' | 'used up' | 'expired' | 'revoked';
  readonly uses: number;
  readonly maxUses: number | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

const NOTHING: Admitted = { settle: () => {} };

export class Enrolment {
  readonly #o: EnrolmentOptions;
  readonly #unixMs: () => number;
  readonly #tokens = new Map<string, StoredToken>();
  readonly #decisions = new Map<string, Decision>();
  /** In the order of their last try. */
  readonly #waiting = new Map<string, Waiting & { readonly full: string }>();
  readonly #waitingByHost = new Map<string, number>();
  readonly #keyQuota: KeyQuota;

  /** @throws LiteDeskError ENROLMENT_FILE_BROKEN */
  constructor(options: EnrolmentOptions) {
    this.#o = options;
    this.#unixMs = options.unixMs ?? Date.now;
    this.#keyQuota = new KeyQuota(options.limits, options.clock);
    const { tokens, decisions } = options.store.load();
    for (const token of tokens) this.#tokens.set(token.name, token);
    for (const decision of decisions) this.#decisions.set(decision.id, decision);
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
    try {
      this.#change(token, { uses: token.uses + 1 });
    } catch {
      return 'enrol-not-saved';
    }
    return {
      settle: (registered) => {
        if (registered) return this.#dropWaiting(candidate.id);
        const now = this.#tokens.get(token.name);
        try {
          if (now) this.#change(now, { uses: Math.max(0, now.uses - 1) });
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
    const old = this.#tokens.size < MAX_TOKENS ? undefined : [...this.#tokens.values()].find((t) => stateOf(t, now) !== 'good');
    if (this.#tokens.size >= MAX_TOKENS && !old) throw tooMany();
    this.#save((state) => ({ ...state, tokens: [...state.tokens.filter((t) => t.name !== old?.name), stored] }));
    if (old) this.#tokens.delete(old.name);
    this.#tokens.set(stored.name, stored);
    return { token, info: infoOf(stored, now) };
  }

  invitations(): TokenInfo[] {
    const now = this.#unixMs();
    return [...this.#tokens.values()].map((token) => infoOf(token, now));
  }

  /** Computers that enrolled with it stay. `name` may be cut short. @throws LiteDeskError ENROLMENT_UNKNOWN_TOKEN, ENROLMENT_NOT_SAVED */
  revoke(name: string): TokenInfo {
    const fits = name.length < 4 ? [] : [...this.#tokens.values()].filter((token) => token.name.startsWith(name.toLowerCase()));
    const [token] = fits;
    if (!token || fits.length > 1) throw unknownToken(name);
    this.#change(token, { revokedAt: this.#unixMs() });
    return infoOf({ ...token, revokedAt: this.#unixMs() }, this.#unixMs());
  }

  /** Computers that asked and were not taken, the last one first. */
  waiting(): Waiting[] {
    return [...this.#waiting.values()].map(({ full: _full, ...shown }) => shown).reverse();
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
    return [...this.#decisions.values()].filter(({ verdict }) => verdict === 'denied');
  }

  #decide(id: string, verdict: Decision['verdict']): Decision {
    const waiting = this.#waiting.get(id);
    const before = this.#decisions.get(id);
    const device = waiting?.full ?? before?.device;
    if (device === undefined) throw notWaiting(id);
    const decision: Decision = { id, device, verdict, at: this.#unixMs() };
    const others = [...this.#decisions.values()].filter((other) => other.id !== id);
    // The oldest goes; a computer whose denial is forgotten only waits again.
    const kept = others.slice(Math.max(0, others.length + 1 - MAX_DECISIONS));
    this.#save((state) => ({ ...state, decisions: [...kept, decision] }));
    this.#decisions.clear();
    for (const one of [...kept, decision]) this.#decisions.set(one.id, one);
    this.#dropWaiting(id);
    return decision;
  }

  // Waiting computers

  #noteWaiting(candidate: Candidate, full: string): void {
    const { limits } = this.#o;
    const now = this.#unixMs();
    const before = this.#waiting.get(candidate.id);
    // The first machine to ask under an id is the one that is shown: another one must not slip in before the approval.
    if (before && before.full !== full && now - before.lastSeen < limits.enrolmentKeepMs) return;
    if (before) this.#dropWaiting(candidate.id);
    const own = this.#waitingByHost.get(candidate.host) ?? 0;
    if (own >= limits.maxEnrolmentWaitingPerAddress) return;
    if (this.#waiting.size >= limits.maxEnrolmentWaiting)
      for (const oldest of this.#waiting.keys()) {
        this.#dropWaiting(oldest);
        break;
      }
    const { id, host } = candidate;
    const device = full.slice(0, 16).toUpperCase().match(/.{4}/g)?.join('-') ?? '';
    this.#waiting.set(id, { id, host, device, full, since: before?.full === full ? before.since : now, lastSeen: now });
    this.#waitingByHost.set(host, (this.#waitingByHost.get(host) ?? 0) + 1);
  }

  #dropWaiting(id: string): void {
    const entry = this.#waiting.get(id);
    if (!entry) return;
    this.#waiting.delete(id);
    const left = (this.#waitingByHost.get(entry.host) ?? 1) - 1;
    if (left > 0) this.#waitingByHost.set(entry.host, left);
    else this.#waitingByHost.delete(entry.host);
  }

  /** Forgets computers that have stopped asking. Call now and then. */
  expire(): void {
    const oldest = this.#unixMs() - this.#o.limits.enrolmentKeepMs;
    for (const { id, lastSeen } of this.#waiting.values()) {
      if (lastSeen > oldest) break;
      this.#dropWaiting(id);
    }
    this.#keyQuota.expire();
  }

  // State

  #forgetDecision(id: string): void {
    const before = this.#decisions.get(id);
    this.#decisions.delete(id);
    try {
      this.#save((state) => state);
    } catch {
      // Kept on disk, it approves once more what is enrolled already.
      if (before) this.#decisions.set(id, before);
    }
  }

  #change(token: StoredToken, change: Partial<StoredToken>): void {
    const changed = { ...token, ...change };
    this.#save((state) => ({ ...state, tokens: state.tokens.map((other) => (other.name === token.name ? changed : other)) }));
    this.#tokens.set(token.name, changed);
  }

  /** Writes first: what could not be written is not true in memory either. */
  #save(change: (state: EnrolmentState) => EnrolmentState): void {
    this.#o.store.save(change({ tokens: [...this.#tokens.values()], decisions: [...this.#decisions.values()] }));
  }
}

function deviceHash({ uuid, pk }: Enrolling): string {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(uuid.length);
  return createHash('sha256').update(length).update(uuid).update(pk).digest('hex');
}

function stateOf(token: StoredToken, nowMs: number): TokenInfo['state'] {
  if (token.revokedAt !== null) return 'revoked';
  if (token.expiresAt !== null && token.expiresAt <= nowMs) return 'expired';
  return token.maxUses !== null && token.uses >= token.maxUses ? 'used up' : 'good';
}

function infoOf(token: StoredToken, nowMs: number): TokenInfo {
  const { name, note, uses, maxUses, createdAt, expiresAt } = token;
  return { name, note, state: stateOf(token, nowMs), uses, maxUses, createdAt, expiresAt };
}

function tooMany(): LiteDeskError {
  return new LiteDeskError({
    code: 'ENROLMENT_TOO_MANY',
    stage: 'server',
    message: `There are ${MAX_TOKENS} open invitations already.`,
    hint: 'Revoke some with `litedesk admin invite revoke NAME`, or make one that many computers may use.',
  });
}

function unknownToken(name: string): LiteDeskError {
  return new LiteDeskError({
    code: 'ENROLMENT_UNKNOWN_TOKEN',
    stage: 'usage',
    message: `No single invitation is called "${name}".`,
    hint: '`litedesk admin invite list` shows the names; four digits or more of one are enough.',
  });
}

function notWaiting(id: string): LiteDeskError {
  return new LiteDeskError({
    code: 'ENROLMENT_NOT_WAITING',
    stage: 'usage',
    message: `No computer with the ID ${id} waits to be let in.`,
    hint: '`litedesk admin pending` shows who waits; a computer shows up there once it has asked.',
  });
}
