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
} from './host-login.ts';
import { LOGIN } from './login-strings.ts';

/** SHA-256, as passwords are kept. */
const H1_BYTES = 32;

/** What a login comes to; HostSession carries it out. */
export interface HostLoginEvents {
  send(message: hbb.IMessage): void;
  /** `nativeTag`: the host's own proof, to go with the acceptance. */
  authorise(request: hbb.ILoginRequest, recentH1: Uint8Array, nativeTag: Uint8Array | null): void;
  wait(request: hbb.ILoginRequest, ask: boolean, error?: string): void;
  refuse(request: hbb.ILoginRequest, refusal: LoginRefusal): void;
}

export interface LoginRefusal {
  error: string;
  close: boolean;
  /** Somebody is to be asked. */
  ask: boolean;
  /** For another attempt, on native links. */
  nativeShares?: Uint8Array[];
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
  /** There are no shares for this address now. */
  #limited = false;

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

  /** What opens the session. */
  open(): hbb.IHash {
    const { authenticator, native } = this.#o;
    const hash = { salt: authenticator.salt, challenge: this.#challenge };
    return native && authenticator.approveMode !== 'click'
      ? { ...hash, nativeShares: this.#offer(native) }
      : hash;
  }

  onRequest(request: hbb.ILoginRequest): void {
    const scope = loginScope(request);
    this.#request = request;
    // A retry must be for the same thing; otherwise one password prompt could be used for another kind (session §2.4).
    if (this.#scope !== null && this.#scope !== scope) return this.#refuse(request, LOGIN.notAllowed);
    this.#scope = scope;
    if (this.#limited) return this.#refuse(request, LOGIN.waitMinute);
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

  #onNativePassword(request: hbb.ILoginRequest, native: NativeState): void {
    if ((request.password?.length ?? 0) > 0) return this.#refuse(request, LOGIN.notAllowed);
    const share = request.nativeShare ?? new Uint8Array();
    if (share.length === 0) return this.#carryOut(request, decideEmptyPassword(this.#context), null);
    const attempt = this.#attempt;
    // Somebody took minutes to type what is shown now, and it is not what the shares were made for any more.
    if (attempt && !attempt.isFor(this.#candidates(native))) {
      const nativeShares = this.#offer(native);
      if (nativeShares.length === 0) return this.#refuse(request, LOGIN.waitMinute);
      this.#o.events.send({ loginResponse: { nativeShares } });
      return;
    }
    this.#attempt = null;
    attempt?.receive(share, request.nativeTags ?? []);
    this.#judge(request, (h1) => attempt?.proved(h1) ?? false, attempt);
  }

  /** Shares for another attempt; they end the last one. None where this address has had too many. */
  #offer(native: NativeState): Uint8Array[] {
    const { random, authenticator, address } = this.#o;
    this.#attempt = null;
    this.#limited = !authenticator.admitShares(address);
    if (this.#limited) return [];
    // Random ones are in place of what there is not, so that nobody sees which there are.
    const candidates = this.#candidates(native).map((h1) => h1 ?? random(H1_BYTES));
    this.#attempt = new PasswordLoginHost(native, candidates, random);
    return this.#attempt.shares;
  }

  #candidates({ peer }: NativeState): (Uint8Array | null)[] {
    return this.#o.authenticator.candidates(peer?.id ?? null);
  }

  #judge(request: hbb.ILoginRequest, check: PasswordCheck, attempt: PasswordLoginHost | null): void {
    this.#carryOut(request, decidePassword(request, this.#context, check), attempt);
  }

  #carryOut(request: hbb.ILoginRequest, decision: LoginDecision, attempt: PasswordLoginHost | null): void {
    const { events, native } = this.#o;
    if (decision.do === 'authorise') {
      events.authorise(request, decision.recentH1, attempt?.tag(decision.recentH1) ?? null);
    } else if (decision.do === 'wait') events.wait(request, decision.ask, decision.error);
    else if (native && !decision.close) {
      const nativeShares = this.#offer(native);
      events.refuse(request, { ...decision, nativeShares, close: nativeShares.length === 0 });
    } else events.refuse(request, decision);
  }

  #refuse(request: hbb.ILoginRequest, error: string): void {
    this.#o.events.refuse(request, { error, close: true, ask: false });
  }
}
