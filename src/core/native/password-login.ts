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

/** The host's end of one attempt. */
export class PasswordLoginHost {
  readonly #sid: Uint8Array;
  readonly #runs: readonly { h1: Uint8Array; run: CpaceRun }[];
  #proven: { h1: Uint8Array; tag: Uint8Array }[] = [];
  #used = false;

  /**
   * @param candidates h1 of every password that would do, at most MAX_LOGIN_SHARES. Always give as many, or their number tells
   * which kinds of password there are.
   */
  constructor(session: NativeSecrets, candidates: readonly Uint8Array[], random: RandomBytes) {
    this.#sid = loginSid(session);
    this.#runs = candidates.map((h1) => ({ h1, run: new CpaceRun(context(this.#sid, h1), random) }));
  }

  /** In the order of the candidates: what to send. */
  get shares(): Uint8Array[] {
    return this.#runs.map(({ run }) => run.share);
  }

  /** Takes the controller's share and its tags, one for each of ours; once only, since every further set is another guess. */
  receive(share: Uint8Array, tags: readonly Uint8Array[]): void {
    if (this.#used) return;
    this.#used = true;
    for (const [index, { h1, run }] of this.#runs.entries()) {
      const expected = tagsOf(this.#sid, run, share, { host: run.share, controller: share });
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

/** The controller's end of one attempt. */
export class PasswordLoginController {
  readonly share: Uint8Array;
  /** One for each share of the host, in their order. */
  readonly tags: readonly Uint8Array[];
  readonly #hostTags: readonly Uint8Array[];

  private constructor(share: Uint8Array, tags: readonly Tags[]) {
    this.share = share;
    this.tags = tags.map(({ controller }) => controller);
    this.#hostTags = tags.map(({ host }) => host);
  }

  /**
   * Answers a host's shares; null where there are none, too many, or unusable ones.
   * @param h1 SHA-256(password ‖ salt), 32 bytes.
   */
  static answer(
    session: NativeSecrets,
    hostShares: readonly Uint8Array[],
    h1: Uint8Array,
    random: RandomBytes,
  ): PasswordLoginController | null {
    if (hostShares.length === 0 || hostShares.length > MAX_LOGIN_SHARES) return null;
    const sid = loginSid(session);
    const run = new CpaceRun(context(sid, h1), random);
    const tags: Tags[] = [];
    for (const host of hostShares) {
      const pair = tagsOf(sid, run, host, { host, controller: run.share });
      if (!pair) return null;
      tags.push(pair);
    }
    return new PasswordLoginController(run.share, tags);
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

/** Both ends' tags, or null for a share that cannot be used. */
function tagsOf(
  sid: Uint8Array,
  run: CpaceRun,
  theirShare: Uint8Array,
  shares: { host: Uint8Array; controller: Uint8Array },
): Tags | null {
  const secret = theirShare.length === CPACE_SHARE_BYTES ? run.secret(theirShare) : null;
  if (!secret) return null;
  const initiator: CpaceMessage = { share: shares.host, associated: labelBytes('host') };
  const responder: CpaceMessage = { share: shares.controller, associated: labelBytes('controller') };
  const key = cpaceSessionKey(sid, secret, initiator, responder);
  return { host: cpaceTag(sid, key, initiator), controller: cpaceTag(sid, key, responder) };
}
