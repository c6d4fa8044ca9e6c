import { passwordHash, passwordProof } from '../crypto/password.ts';
import type { RandomBytes } from '../crypto/random.ts';
import type { ErrorData } from '../errors.ts';
import type { NativeSecrets } from '../native/contract.ts';
import { type PasswordLoginController, PreparedLogin } from '../native/password-login.ts';
import type { hbb } from '../wire/proto.ts';
import type { PasswordInput, PasswordNeeded } from './controller-types.ts';
import * as limits from './limits.ts';
import { LOGIN } from './login-strings.ts';
import { loginError, sessionErrors } from './session-errors.ts';

/** What a login comes to; ControllerSession carries it out. */
export interface ControllerLoginEvents {
  /** The request as it is to be sent, but for the password. */
  request(): hbb.ILoginRequest;
  send(message: hbb.IMessage): void;
  needPassword(needed: PasswordNeeded): void;
  accepted(info: hbb.IPeerInfo): void;
  /** It cannot go on; `reason` is the host's text. */
  failed(reason: string, error: ErrorData): void;
}

export interface ControllerLoginOptions {
  password: PasswordInput | null;
  random: RandomBytes;
  native: NativeSecrets | null;
  events: ControllerLoginEvents;
}

/**
 * The login as a controller sees it (session §2.3–§2.7): a password proof on stock links; CPace on native ones, where nothing is
 * ever sent that depends on the password alone, and the host has to prove that it knows it too.
 */
export class ControllerLoginFlow {
  readonly #o: ControllerLoginOptions;
  #hash: { salt: string; challenge: string } | null = null;
  #password: PasswordInput | null;
  /** Given while an attempt was still open: tried if that one fails. */
  #next: PasswordInput | null = null;
  #h1: Uint8Array | null = null;
  /** The host's, for the next attempt. */
  #shares: readonly Uint8Array[] = [];
  /** For these, as far as it goes while somebody types the password. */
  #prepared: PreparedLogin | null = null;
  #attempt: PasswordLoginController | null = null;
  /** The host has asked for the same password once more; each time is a set of guesses for an impostor. */
  #repeated = false;
  /** A password is on its way that nobody may take without proving that it knows it too. */
  #proofDue = false;
  #hostProven = false;

  constructor(options: ControllerLoginOptions) {
    this.#o = options;
    this.#password = options.password;
  }

  get salt(): string | null {
    return this.#hash?.salt ?? null;
  }

  get h1(): Uint8Array | null {
    return this.#h1;
  }

  /** The host has proven that it knows the password. */
  get hostProven(): boolean {
    return this.#hostProven;
  }

  onHash(hash: hbb.IHash): void {
    this.#hash = { salt: hash.salt ?? '', challenge: hash.challenge ?? '' };
    this.#shares = hash.nativeShares ?? [];
    this.#prepared = null;
    this.#begin();
    if (this.#password === null)
      this.#needPassword('required', LOGIN.emptyPassword, sessionErrors.passwordRequired());
  }

  /** Tries a password, now or as soon as the host has spoken; an empty one waits for a click (session §2.4). */
  login(password: PasswordInput): void {
    if (this.#attempt) {
      this.#next = password;
      return;
    }
    this.#password = password;
    this.#repeated = false;
    if (this.#hash) this.#begin();
  }

  onResponse(response: hbb.ILoginResponse): void {
    const attempt = this.#attempt;
    this.#attempt = null;
    this.#shares = response.nativeShares ?? [];
    this.#prepared = null;
    if (response.peerInfo) {
      // Whoever took our password must have known it: else it is somebody who takes every password.
      this.#hostProven = attempt?.verify(response.nativeTag ?? new Uint8Array()) ?? false;
      if (this.#hostProven || !this.#proofDue) this.#o.events.accepted(response.peerInfo);
      else this.#o.events.failed('', sessionErrors.hostUnproven());
      return;
    }
    if (!response.error && this.#shares.length > 0) {
      if (!attempt || this.#repeated) return this.#unusable();
      this.#repeated = true;
      this.#begin();
      return;
    }
    this.#proofDue = false;
    this.#onError((response.error ?? '').slice(0, limits.CHAT_LENGTH));
  }

  #onError(text: string): void {
    switch (text) {
      case LOGIN.wrongPassword:
        this.#forget();
        if (this.#next !== null) this.#tryNext();
        else this.#needPassword('wrong', text, sessionErrors.wrongPassword());
        break;
      case LOGIN.emptyPassword:
        this.#forget();
        this.#needPassword('required', text, sessionErrors.passwordRequired());
        break;
      case LOGIN.noPasswordAccess:
        this.#needPassword('wait-accept', text, sessionErrors.waitAccept());
        break;
      case LOGIN.twoFactorRequired:
      case LOGIN.twoFactorWrong:
        this.#needPassword('2fa', text, sessionErrors.twoFactor());
        break;
      default:
        this.#o.events.failed(text, loginError(text));
        break;
    }
  }

  #begin(): void {
    const { native, random, events } = this.#o;
    const request = events.request();
    const h1 = this.#hashed();
    if (native) {
      const shares = this.#shares;
      this.#proofDue = h1 !== null;
      // A host that takes no passwords offers no shares.
      if (h1 && shares.length > 0) {
        this.#shares = [];
        const prepared = this.#prepared ?? PreparedLogin.of(native, shares, random);
        this.#prepared = null;
        this.#attempt = prepared?.answer(h1) ?? null;
        if (!this.#attempt) return this.#unusable();
        request.nativeShare = this.#attempt.share;
        request.nativeTags = [...this.#attempt.tags];
      }
    } else request.password = h1 ? passwordProof(h1, this.#hash?.challenge ?? '') : new Uint8Array();
    events.send({ loginRequest: request });
  }

  /** Null while there is no password: the host's user can click Accept meanwhile (session §2.4). */
  #hashed(): Uint8Array | null {
    const password = this.#password;
    if (password === null || password === '') return null;
    this.#h1 = typeof password === 'string' ? passwordHash(password, this.#hash?.salt ?? '') : password.h1;
    return this.#h1;
  }

  #tryNext(): void {
    this.#password = this.#next;
    this.#repeated = false;
    this.#next = null;
    this.#begin();
  }

  #unusable(): void {
    this.#o.events.failed('', sessionErrors.protocol('its part of the login cannot be used'));
  }

  #forget(): void {
    this.#password = null;
    this.#h1 = null;
  }

  #needPassword(reason: PasswordNeeded['reason'], message: string, error: ErrorData): void {
    this.#o.events.needPassword({ reason, message, error });
    const { native, random } = this.#o;
    if (native && this.#shares.length > 0) this.#prepared ??= PreparedLogin.of(native, this.#shares, random);
  }
}
