/**
 * The registration loop of one peer with one server (rendezvous §5.2–§5.5) as a state machine: no socket, no clock of
 * its own. The same machine runs over UDP, and over a TCP connection that is itself the presence (§5.6).
 */
import type { Clock } from '../core/clock.ts';
import type { LiteDeskError } from '../core/errors.ts';
import { hbb } from '../core/wire/index.ts';
import { registrationRefused } from './errors.ts';

/** How long after an answer the next heartbeat leaves; the server forgets a peer after 30 s. */
export const REGISTER_INTERVAL_MS = 15_000;
/** How long an answer may take before the message is sent again. */
const REGISTER_TIMEOUT_MS = 3_000;
/** The first tries are quicker: a lost datagram at start should not cost three seconds of "registering". */
const FIRST_TIMEOUTS_MS = [700, 1_500] as const;
/** Unanswered messages in a row until the server counts as gone. */
const FAILURES_UNTIL_OFFLINE = 3;
/** Pause after the server said that this id must not register now (TOO_FREQUENT, NOT_DEPLOYED …). */
const REFUSED_RETRY_MS = 6_500;
/** As often as stock clients ask again when they are not enrolled (rendezvous §5.3). */
const NOT_DEPLOYED_RETRY_MS = 30_000;
/** New random ids in a row; a server that refuses them all is broken, and hammering it helps nobody. */
const MAX_NEW_IDS = 5;

export interface RegisteredIdentity {
  readonly id: string;
  readonly uuid: Uint8Array;
  readonly publicKey: Uint8Array;
}

export interface RegistrationOptions {
  readonly clock: Clock;
  readonly mode: 'udp' | 'tcp';
  identity(): RegisteredIdentity;
  send(message: hbb.IRendezvousMessage): void;
  /** What goes with the key besides the identity: proof of an invitation, and which key of the server is known. */
  credentials?(identity: RegisteredIdentity): hbb.IRegisterPk;
  /** The server signs with another key than the one that `credentials` named. */
  onOtherServerKey?(keyId: Uint8Array): void;
  /** The server says that the id belongs to another machine: take a new one. */
  takeNewId(): void;
  onReady(latencyMs: number | null): void;
  /** No answer so far; `failures` messages were lost in a row. */
  onTrying(failures: number): void;
  /** `error` null: silence, else the server's refusal. */
  onOffline(error: LiteDeskError | null): void;
}

export class Registration {
  readonly #options: RegistrationOptions;
  #cancelTimer: () => void = () => {};
  #keyConfirmed = false;
  #sentAt: number | null = null;
  #failures = 0;
  #everAnswered = false;
  #newIds = 0;
  #running = false;
  #latencyMs: number | null = null;

  constructor(options: RegistrationOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = true;
    this.#register();
  }

  stop(): void {
    this.#running = false;
    this.#cancelTimer();
  }

  /** Sends the next message at once, e.g. after the network changed. */
  poke(): void {
    if (this.#running) this.#register();
  }

  /** The key must be sent again (a controller could not verify it, rendezvous §11.2). */
  unconfirmKey(): void {
    this.#keyConfirmed = false;
  }

  /** Takes a message that came on the registration channel; false when it was none of registration. */
  handle(message: hbb.RendezvousMessage): boolean {
    if (message.union === 'registerPeerResponse') this.#onPeerResponse(message.registerPeerResponse?.requestPk === true);
    else if (message.union === 'registerPkResponse') {
      const otherKey = message.registerPkResponse?.serverKeyId;
      this.#onPkResponse(message.registerPkResponse?.result ?? hbb.RegisterPkResponse.Result.OK);
      if (this.#running && otherKey?.length) this.#options.onOtherServerKey?.(otherKey);
    }
    else return false;
    return true;
  }

  #register(): void {
    this.#cancelTimer();
    const { clock, identity, send, mode } = this.#options;
    const own = identity();
    const { id, uuid, publicKey } = own;
    this.#sentAt = clock.now();
    if (!this.#keyConfirmed) send({ registerPk: { id, uuid, pk: publicKey, ...this.#options.credentials?.(own) } });
    else if (mode === 'udp') send({ registerPeer: { id, serial: 3 } });
    else {
      this.#sentAt = null;
      return;
    }
    const timeoutMs = this.#everAnswered
      ? REGISTER_TIMEOUT_MS
      : (FIRST_TIMEOUTS_MS[this.#failures] ?? REGISTER_TIMEOUT_MS);
    this.#cancelTimer = clock.setTimer(timeoutMs, () => this.#onTimeout());
  }

  #onTimeout(): void {
    this.#failures += 1;
    // A server that came back without memory asks for the key anyway; one that lost its store does not know us.
    if (this.#failures >= FAILURES_UNTIL_OFFLINE) this.#options.onOffline(null);
    else this.#options.onTrying(this.#failures);
    if (this.#running) this.#register();
  }

  #answered(): void {
    if (this.#sentAt !== null) {
      const sample = this.#options.clock.now() - this.#sentAt;
      this.#latencyMs = this.#latencyMs === null ? sample : this.#latencyMs + (sample - this.#latencyMs) / 30;
      this.#sentAt = null;
    }
    this.#everAnswered = true;
    this.#failures = 0;
    this.#cancelTimer();
  }

  #onPeerResponse(requestPk: boolean): void {
    if (!this.#running) return;
    this.#answered();
    if (requestPk) {
      this.#keyConfirmed = false;
      this.#register();
      return;
    }
    this.#options.onReady(this.#latencyMs);
    this.#later(REGISTER_INTERVAL_MS);
  }

  #onPkResponse(result: hbb.RegisterPkResponse.Result): void {
    if (!this.#running) return;
    this.#answered();
    const Result = hbb.RegisterPkResponse.Result;
    if (result === Result.OK) {
      this.#keyConfirmed = true;
      this.#newIds = 0;
      if (this.#options.mode === 'tcp') this.#options.onReady(this.#latencyMs);
      // A known id becomes reachable only at its next RegisterPeer (rendezvous §5.7), so that one leaves at once.
      else this.#register();
      return;
    }
    if (result === Result.UUID_MISMATCH && this.#newIds < MAX_NEW_IDS) {
      this.#newIds += 1;
      this.#keyConfirmed = false;
      this.#options.takeNewId();
      this.#register();
      return;
    }
    this.#options.onOffline(registrationRefused(Result[result] ?? String(result)));
    this.#later(result === Result.NOT_DEPLOYED ? NOT_DEPLOYED_RETRY_MS : REFUSED_RETRY_MS);
  }

  #later(delayMs: number): void {
    this.#cancelTimer();
    if (this.#running) this.#cancelTimer = this.#options.clock.setTimer(delayMs, () => this.#register());
  }
}
