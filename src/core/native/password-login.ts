/**
 * The password login of native links (docs/protocol.md): CPace over what a password is kept as, h1 of session §2.4. The
 * controller starts, the host answers with one share for each password that it would take, the controller proves first.
 * An impostor at either end gets one guess for each share and nothing to guess with afterwards; whoever passes the messages
 * on to another link gets nothing, since they hold for one session only.
 */
import { createHmac } from 'node:crypto';
import { constantTimeEqual } from '../crypto/password.ts';
import type { RandomBytes } from '../crypto/random.ts';
import type { NativeSecrets } from './contract.ts';
import {
  CPACE_SHARE_BYTES,
  type CpaceContext,
  type CpaceMessage,
  CpaceRun,
  cpaceSessionKey,
  cpaceTag,
} from './cpace.ts';
import { labelBytes } from './key-schedule.ts';

/**
 * Passwords that a host may take at a time: the one-time one, the permanent one, and that of a session which has just
 * broken off. It is also the number of guesses that an impostor host gets out of one login.
 */
export const MAX_LOGIN_SHARES = 3;

const CHANNEL = labelBytes('password');
const NO_BYTES = new Uint8Array();

interface Candidate {
  readonly tag: Uint8Array;
  readonly theirTag: Uint8Array;
}

/** The controller's end of one attempt. */
export class PasswordLoginController {
  readonly share: Uint8Array;
  readonly #run: CpaceRun;
  readonly #sid: Uint8Array;
  #candidates: Candidate[] = [];

  /** @param h1 SHA-256(password ‖ salt), 32 bytes. */
  constructor(session: NativeSecrets, h1: Uint8Array, random: RandomBytes) {
    this.#sid = loginSid(session);
    this.#run = new CpaceRun(context(this.#sid, h1), random);
    this.share = this.#run.share;
  }

  /** The tags to send for the host's shares; null where there are none, too many, or unusable ones. */
  prove(shares: readonly Uint8Array[]): Uint8Array[] | null {
    if (shares.length === 0 || shares.length > MAX_LOGIN_SHARES || this.#candidates.length > 0) return null;
    const candidates: Candidate[] = [];
    for (const share of shares) {
      const tags = tagsOf(this.#sid, this.#run, { initiator: this.share, responder: share }, share);
      if (!tags) return null;
      candidates.push({ tag: tags.initiator, theirTag: tags.responder });
    }
    this.#candidates = candidates;
    return candidates.map(({ tag }) => tag);
  }

  /** Whether the host's tag proves that it knows the password. */
  verify(tag: Uint8Array): boolean {
    return this.#candidates.some(({ theirTag }) => constantTimeEqual(theirTag, tag));
  }
}

/** The host's end of one attempt. */
export class PasswordLoginHost {
  /** In the order of the candidates. */
  readonly shares: readonly Uint8Array[];
  readonly #candidates: (Candidate & { h1: Uint8Array })[];
  #theirTags: readonly Uint8Array[] = [];

  private constructor(candidates: (Candidate & { h1: Uint8Array; share: Uint8Array })[]) {
    this.#candidates = candidates;
    this.shares = candidates.map(({ share }) => share);
  }

  /**
   * Answers a controller's share; null when it is unusable.
   * @param candidates h1 of every password that would do, at most MAX_LOGIN_SHARES. Always give as many, or their number tells
   * which kinds of password there are.
   */
  static answer(
    session: NativeSecrets,
    theirShare: Uint8Array,
    candidates: readonly Uint8Array[],
    random: RandomBytes,
  ): PasswordLoginHost | null {
    const sid = loginSid(session);
    const answered: (Candidate & { h1: Uint8Array; share: Uint8Array })[] = [];
    for (const h1 of candidates) {
      const run = new CpaceRun(context(sid, h1), random);
      const tags = tagsOf(sid, run, { initiator: theirShare, responder: run.share }, theirShare);
      if (!tags) return null;
      answered.push({ h1, share: run.share, tag: tags.responder, theirTag: tags.initiator });
    }
    return new PasswordLoginHost(answered);
  }

  /** Takes the controller's tags, the first time only: every further set would be another guess. */
  receive(tags: readonly Uint8Array[]): void {
    if (this.#theirTags.length === 0) this.#theirTags = tags.slice(0, MAX_LOGIN_SHARES);
  }

  /** Whether the controller proved to know the password of this h1. */
  proved(h1: Uint8Array): boolean {
    return this.#proof(h1) !== null;
  }

  /** Our own tag, for the controller that has proved the password of this h1. */
  tag(h1: Uint8Array): Uint8Array {
    const tag = this.#proof(h1);
    if (!tag) throw new Error('a tag without the proof of the controller');
    return tag;
  }

  #proof(h1: Uint8Array): Uint8Array | null {
    let found: Uint8Array | null = null;
    for (const [index, candidate] of this.#candidates.entries()) {
      const right = constantTimeEqual(candidate.theirTag, this.#theirTags[index] ?? NO_BYTES);
      if (constantTimeEqual(candidate.h1, h1) && right) found = candidate.tag;
    }
    return found;
  }
}

/** The session in which a login holds; all its paths have the same. */
function loginSid(session: NativeSecrets): Uint8Array {
  const mac = createHmac('sha256', session.sessionSecret)
    .update(labelBytes('login'))
    .update(session.sessionId);
  return Uint8Array.from(mac.digest());
}

function context(sid: Uint8Array, h1: Uint8Array): CpaceContext {
  return { password: h1, channel: CHANNEL, sid };
}

/** Both ends' tags, or null for a share that cannot be used. */
function tagsOf(
  sid: Uint8Array,
  run: CpaceRun,
  shares: { initiator: Uint8Array; responder: Uint8Array },
  theirShare: Uint8Array,
): { initiator: Uint8Array; responder: Uint8Array } | null {
  if (theirShare.length !== CPACE_SHARE_BYTES) return null;
  const secret = run.secret(theirShare);
  if (!secret) return null;
  const initiator: CpaceMessage = { share: shares.initiator, associated: labelBytes('controller') };
  const responder: CpaceMessage = { share: shares.responder, associated: labelBytes('host') };
  const key = cpaceSessionKey(sid, secret, initiator, responder);
  return { initiator: cpaceTag(sid, key, initiator), responder: cpaceTag(sid, key, responder) };
}
