/**
 * The password login of native links (docs/protocol.md): CPace over what a password is kept as, h1 of session §2.4. The host
 * starts with one share for each password that it would take, the controller answers and proves first. An impostor at either
 * end gets one guess for each share and nothing to guess with afterwards; whoever passes the messages on to another link gets
 * nothing, since they hold for one session only.
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
 * broken off. It is also the number of guesses that an impostor host gets out of one attempt.
 */
export const MAX_LOGIN_SHARES = 3;

const CHANNEL = labelBytes('password');
const NO_BYTES = new Uint8Array();

interface Tags {
  readonly host: Uint8Array;
  readonly controller: Uint8Array;
}

/** A share of the host with the secret point that it leads to. */
interface Theirs {
  readonly share: Uint8Array;
  readonly secret: Uint8Array;
}

/** The host's end of one attempt. */
export class PasswordLoginHost {
  readonly #sid: Uint8Array;
  readonly #runs: readonly { h1: Uint8Array; run: CpaceRun; share: Uint8Array }[];
  #proven: { h1: Uint8Array; tag: Uint8Array }[] = [];
  #used = false;

  /**
   * @param candidates h1 of every password that would do, at most MAX_LOGIN_SHARES. Always give as many, or their number tells
   * which kinds of password there are.
   */
  constructor(session: NativeSecrets, candidates: readonly Uint8Array[], random: RandomBytes) {
    this.#sid = loginSid(session);
    this.#runs = candidates.map((h1) => {
      const run = new CpaceRun(random);
      return { h1, run, share: run.share(context(this.#sid, h1)) };
    });
  }

  /** In the order of the candidates: what to send. */
  get shares(): Uint8Array[] {
    return this.#runs.map(({ share }) => share);
  }

  /** Takes the controller's share and its tags, one for each of ours; once only, since every further set is another guess. */
  receive(share: Uint8Array, tags: readonly Uint8Array[]): void {
    if (this.#used) return;
    this.#used = true;
    for (const [index, { h1, run, share: host }] of this.#runs.entries()) {
      const secret = secretOf(run, share);
      const expected = secret && tagsOf(this.#sid, secret, { host, controller: share });
      if (expected && constantTimeEqual(expected.controller, tags[index] ?? NO_BYTES))
        this.#proven.push({ h1, tag: expected.host });
    }
  }

  /** Whether the controller proved to know the password of this h1. */
  proved(h1: Uint8Array): boolean {
    return this.#tagFor(h1) !== undefined;
  }

  /** Our own tag, for the controller that has proved the password of this h1. */
  tag(h1: Uint8Array): Uint8Array {
    const tag = this.#tagFor(h1);
    if (!tag) throw new Error('a tag without the proof of the controller');
    return tag;
  }

  /** Whether the shares were made for all of these passwords, each in its place; null where there is none. */
  isFor(candidates: readonly (Uint8Array | null)[]): boolean {
    return candidates.every((h1, index) => !h1 || constantTimeEqual(h1, this.#runs[index]?.h1 ?? NO_BYTES));
  }

  #tagFor(h1: Uint8Array): Uint8Array | undefined {
    return this.#proven.find((proven) => constantTimeEqual(proven.h1, h1))?.tag;
  }
}

/** The controller's end of one attempt, as far as it goes without the password: three quarters of its work. */
export class PreparedLogin {
  readonly #sid: Uint8Array;
  readonly #run: CpaceRun;
  readonly #theirs: readonly Theirs[];
  #used = false;

  private constructor(sid: Uint8Array, run: CpaceRun, theirs: readonly Theirs[]) {
    this.#sid = sid;
    this.#run = run;
    this.#theirs = theirs;
  }

  /** Null where the host's shares are none, too many, or unusable ones. */
  static of(session: NativeSecrets, hostShares: readonly Uint8Array[], random: RandomBytes): PreparedLogin | null {
    if (hostShares.length === 0 || hostShares.length > MAX_LOGIN_SHARES) return null;
    const run = new CpaceRun(random);
    const theirs: Theirs[] = [];
    for (const share of hostShares) {
      const secret = secretOf(run, share);
      if (!secret) return null;
      theirs.push({ share, secret });
    }
    return new PreparedLogin(loginSid(session), run, theirs);
  }

  /**
   * The attempt with one password; a second one would be another guess from the same run, which the host does not take.
   * @param h1 SHA-256(password ‖ salt), 32 bytes.
   */
  answer(h1: Uint8Array): PasswordLoginController {
    if (this.#used) throw new Error('a prepared login is for one password');
    this.#used = true;
    const controller = this.#run.share(context(this.#sid, h1));
    const tags = this.#theirs.map(({ share, secret }) => tagsOf(this.#sid, secret, { host: share, controller }));
    return new PasswordLoginController(controller, tags);
  }
}

/** The controller's end of one attempt. */
export class PasswordLoginController {
  readonly share: Uint8Array;
  /** One for each share of the host, in their order. */
  readonly tags: readonly Uint8Array[];
  readonly #hostTags: readonly Uint8Array[];

  constructor(share: Uint8Array, tags: readonly Tags[]) {
    this.share = share;
    this.tags = tags.map(({ controller }) => controller);
    this.#hostTags = tags.map(({ host }) => host);
  }

  /** Answers a host's shares at once; see {@link PreparedLogin}. */
  static answer(
    session: NativeSecrets,
    hostShares: readonly Uint8Array[],
    h1: Uint8Array,
    random: RandomBytes,
  ): PasswordLoginController | null {
    return PreparedLogin.of(session, hostShares, random)?.answer(h1) ?? null;
  }

  /** Whether the host's tag proves that it knows the password. */
  verify(tag: Uint8Array): boolean {
    return this.#hostTags.some((expected) => constantTimeEqual(expected, tag));
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

/** The secret point, or null for a share that cannot be used. */
function secretOf(run: CpaceRun, theirShare: Uint8Array): Uint8Array | null {
  return theirShare.length === CPACE_SHARE_BYTES ? run.secret(theirShare) : null;
}

function tagsOf(sid: Uint8Array, secret: Uint8Array, shares: { host: Uint8Array; controller: Uint8Array }): Tags {
  const initiator: CpaceMessage = { share: shares.host, associated: labelBytes('host') };
  const responder: CpaceMessage = { share: shares.controller, associated: labelBytes('controller') };
  const key = cpaceSessionKey(sid, secret, initiator, responder);
  return { host: cpaceTag(sid, key, initiator), controller: cpaceTag(sid, key, responder) };
}
