import type { RandomBytes } from '../crypto/random.ts';
import type { NativeState } from '../native/contract.ts';
import { PasswordLoginHost } from '../native/password-login.ts';
import type { hbb } from '../wire/proto.ts';
import { type HostAuthenticator, type PasswordCheck, proofCheck } from './authenticator.ts';
import {
  decideEmptyPassword,
  decidePassword,
  decideWithoutPassword,
  type LoginContext,
  type LoginDecision,
  loginScope,
  sessionKey,
} from './host-login.ts';
import { LOGIN } from './login-strings.ts';

/** What a login comes to; HostSession carries it out. */
export interface HostLoginEvents {
  send(message: hbb.IMessage): void;
  /** `nativeTag`: the host's own proof, to go with the acceptance. */
  authorise(request: hbb.ILoginRequest, recentH1: Uint8Array, nativeTag: Uint8Array | null): void;
  wait(request: hbb.ILoginRequest, ask: boolean, error?: string): void;
  refuse(request: hbb.ILoginRequest, decision: { error: string; close: boolean; ask: boolean }): void;
}

export interface HostLoginOptions {
  authenticator: HostAuthenticator;
  random: RandomBytes;
  ownId: string;
  address: string;
  tunnelsAllowed: boolean;
  streamsAllowed: boolean;
  native: NativeState | null;
  events: HostLoginEvents;
}

/**
 * The login as a host sees it (session §2.3–§2.6): a password proof on stock links, CPace on native ones, where the stock proof,
 * which an impostor could collect and guess with, has no place.
 */
export class HostLoginFlow {
  readonly #o: HostLoginOptions;
  readonly #context: LoginContext;
  readonly #challenge: string;
  #scope: string | null = null;
  #request: hbb.ILoginRequest | null = null;
  #attempt: PasswordLoginHost | null = null;

  constructor(options: HostLoginOptions) {
    this.#o = options;
    const { ownId, authenticator, address, streamsAllowed } = options;
    // A tunnel of the stock kind leaves the encryption behind, which a native link cannot.
    const tunnelsAllowed = options.tunnelsAllowed && !options.native;
    this.#context = { ownId, authenticator, address, tunnelsAllowed, streamsAllowed };
    this.#challenge = options.native ? '' : authenticator.challenge();
  }

  /** The last request; null before the first. */
  get request(): hbb.ILoginRequest | null {
    return this.#request;
  }

  /** The message that opens the session. */
  get hash(): hbb.IHash {
    return { salt: this.#o.authenticator.salt, challenge: this.#challenge };
  }

  onRequest(request: hbb.ILoginRequest): void {
    const scope = loginScope(request);
    this.#request = request;
    // A retry must be for the same thing; otherwise one password prompt could be used for another kind (session §2.4).
    if (this.#scope !== null && this.#scope !== scope) return this.#refuse(request, LOGIN.notAllowed);
    this.#scope = scope;
    const { native } = this.#o;
    // Who has proven one identity must not log in under another.
    if (native?.peer && native.peer.id !== request.myId) return this.#refuse(request, LOGIN.notAllowed);
    const early = decideWithoutPassword(request, this.#context);
    if (early) this.#carryOut(request, early, null);
    else if (native) this.#onNativePassword(request, native);
    else {
      const proof = request.password ?? new Uint8Array();
      if (proof.length === 0) this.#carryOut(request, decideEmptyPassword(this.#context), null);
      else this.#judge(request, proofCheck(proof, this.#challenge), null);
    }
  }

  /** The controller's tags for the shares of its last request; ignored where there is none. */
  onTags(tags: readonly Uint8Array[]): void {
    const attempt = this.#attempt;
    const request = this.#request;
    if (!attempt || !request) return;
    this.#attempt = null;
    attempt.receive(tags);
    this.#judge(request, (h1) => attempt.proved(h1), attempt);
  }

  #onNativePassword(request: hbb.ILoginRequest, native: NativeState): void {
    const { authenticator, random, events, address } = this.#o;
    if ((request.password?.length ?? 0) > 0) return this.#refuse(request, LOGIN.notAllowed);
    const share = request.nativeShare ?? new Uint8Array();
    if (share.length === 0) return this.#carryOut(request, decideEmptyPassword(this.#context), null);
    const abandoned = this.#attempt;
    this.#attempt = null;
    // Each attempt costs us milliseconds: who begins another one without ending the last has used that up.
    if (abandoned || authenticator.blocked(address)) return this.#judge(request, () => false, null);
    this.#attempt = PasswordLoginHost.answer(
      native,
      share,
      authenticator.candidates(sessionKey(request)),
      random,
    );
    if (this.#attempt) events.send({ nativeLoginShares: { shares: [...this.#attempt.shares] } });
    else this.#refuse(request, LOGIN.notAllowed);
  }

  #judge(request: hbb.ILoginRequest, check: PasswordCheck, attempt: PasswordLoginHost | null): void {
    this.#carryOut(request, decidePassword(request, this.#context, check), attempt);
  }

  #carryOut(request: hbb.ILoginRequest, decision: LoginDecision, attempt: PasswordLoginHost | null): void {
    const { events } = this.#o;
    if (decision.do === 'authorise') {
      events.authorise(request, decision.recentH1, attempt?.tag(decision.recentH1) ?? null);
    } else if (decision.do === 'wait') events.wait(request, decision.ask, decision.error);
    else events.refuse(request, decision);
  }

  #refuse(request: hbb.ILoginRequest, error: string): void {
    this.#o.events.refuse(request, { error, close: true, ask: false });
  }
}
