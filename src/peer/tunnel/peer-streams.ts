/**
 * Virtual streams to one peer, over whatever link there is at the moment: it connects, logs in, and comes back by itself with
 * growing pauses. Listeners stay meanwhile, new streams wait a while, and those that were open are reset with a reason.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { systemClock } from '../../core/clock.ts';
import { Emitter } from '../../core/emitter.ts';
import { type ErrorData, LiteDeskError } from '../../core/errors.ts';
import { Mux, type MuxStream, type StreamTarget } from '../../core/mux/index.ts';
import type { MultipathChannels } from '../../core/native/contract.ts';
import { streamsLink } from '../../core/session/index.ts';
import type { ConnectStep, PathChoice } from '../connect-options.ts';
import type { Connected, Peer } from '../peer.ts';
import { linkNotThere, loginUnanswered } from './errors.ts';
import { LINK_WAIT_MS, LOGIN_TIMEOUT_MS, RETRY_FIRST_MS, RETRY_LAST_MS, STOCK_RELAY_MS } from './limits.ts';

export type StreamsState =
  | { readonly state: 'connecting' }
  | { readonly state: 'open'; readonly connection: Connected }
  /** Every way to the peer is silent, and others are looked for: what is under way waits, and so do new streams. */
  | { readonly state: 'searching'; readonly connection: Connected }
  /** A stock peer: no streams, but TCP ports, each with a login of its own. */
  | { readonly state: 'stock' }
  | { readonly state: 'waiting'; readonly error: ErrorData; readonly retryInMs: number }
  /** For good; null when it was closed here. */
  | { readonly state: 'closed'; readonly error: ErrorData | null };

interface PeerStreamsEvents {
  state: StreamsState;
}

export interface PeerStreamsOptions {
  readonly peer: Pick<Peer, 'connect'>;
  readonly target: string;
  readonly password?: string | undefined;
  /** As remembered for this peer (session §2.4). */
  readonly passwordHash?: string | undefined;
  readonly path?: PathChoice;
  readonly allowPlaintext?: boolean;
  /** Goes on trying even when the first attempt fails: for tunnels that come up with the machine. */
  readonly persistent?: boolean;
  readonly onProgress?: (progress: ConnectStep) => void;
  readonly clock?: Clock;
}

/** The login fails for every connection until somebody changes something; asking again costs tries, or annoys who is asked. */
const LOGIN_FINAL: ReadonlySet<string> = new Set([
  'LOGIN_WRONG_PASSWORD',
  'LOGIN_PASSWORD_REQUIRED',
  'LOGIN_WAIT_ACCEPT',
  'LOGIN_2FA_REQUIRED',
  'LOGIN_NOT_ALLOWED',
  'LOGIN_BLOCKED',
]);

/** Trying again would end in the same way. */
const FINAL: ReadonlySet<string> = new Set([
  ...LOGIN_FINAL,
  'LOGIN_KIND_REFUSED',
  'TARGET_INVALID',
  'SERVER_NOT_SET',
  'HANDSHAKE_PLAINTEXT_REFUSED',
]);

interface Waiter {
  /** Null: a stock peer. */
  resolve(mux: Mux | null): void;
  reject(error: Error): void;
}

export class PeerStreams extends Emitter<PeerStreamsEvents> {
  readonly #o: PeerStreamsOptions;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  /** The same over all reconnects (session §9.4). */
  readonly #sessionId = randomBytes(8).readBigUInt64LE();
  readonly #waiting = new Set<Waiter>();
  #state: StreamsState = { state: 'connecting' };
  #mux: Mux | null = null;
  #retryMs = RETRY_FIRST_MS;
  #wasOpen = false;
  #cancelRetry: () => void = () => {};
  /** Until then connections to a stock peer go by the relay at once. */
  #relayUntilMs = 0;

  constructor(options: PeerStreamsOptions) {
    super();
    this.#o = options;
    this.#clock = options.clock ?? systemClock;
  }

  get state(): StreamsState {
    return this.#state;
  }

  /** The mux in use; null while there is none. */
  get mux(): Mux | null {
    return this.#mux;
  }

  start(): void {
    void this.#connect();
  }

  /** Ends all streams and the link. */
  close(): void {
    this.#finish(null);
  }

  /**
   * Opens a stream, at once or as soon as the link is back; null at a stock peer. Throws LiteDeskError TUNNEL_LINK_DOWN after LINK_WAIT_MS, the
   * error that ended everything, or the reason of `signal`; StreamResetError when there are too many streams.
   */
  async open(target: StreamTarget, signal: AbortSignal): Promise<MuxStream | null> {
    signal.throwIfAborted();
    if (this.#state.state === 'stock') return null;
    const mux = (this.#state.state === 'open' ? this.#mux : null) ?? (await this.#awaitMux(signal));
    return mux?.open(target) ?? null;
  }

  /** How the next connection to a stock peer is to be made, where the user leaves it to us. */
  get stockPath(): PathChoice {
    const { path = 'auto' } = this.#o;
    return path === 'auto' && this.#clock.now() < this.#relayUntilMs ? 'relay' : path;
  }

  /** A connection to a stock peer has come about, by this path. */
  stockConnected({ path }: Pick<Connected, 'path'>): void {
    if (path === 'relay' && this.stockPath === 'auto') this.#relayUntilMs = this.#clock.now() + STOCK_RELAY_MS;
  }

  /** One connection through a stock peer did not come about: a login that cannot succeed is not tried by the next one. */
  stockFailed(error: ErrorData): void {
    if (this.#state.state === 'stock' && this.#isFinal(error, LOGIN_FINAL)) this.#finish(error);
  }

  /** Without a password somebody there was asked, and did not answer. */
  #isFinal({ code }: ErrorData, codes: ReadonlySet<string>): boolean {
    const { password = '', passwordHash = '' } = this.#o;
    return codes.has(code) || (code === 'LOGIN_TIMEOUT' && password === '' && passwordHash === '');
  }

  #awaitMux(signal: AbortSignal): Promise<Mux | null> {
    return new Promise((resolve, reject) => {
      if (this.#state.state === 'closed') return reject(closedError(this.#state.error));
      const end = (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
        cancel();
      };
      const waiter: Waiter = {
        resolve: (mux) => {
          end();
          resolve(mux);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.reject(signal.reason as Error);
      const cancel = this.#clock.setTimer(LINK_WAIT_MS, () =>
        waiter.reject(linkNotThere(LINK_WAIT_MS, this.#state.state === 'waiting' ? this.#state.error : null)),
      );
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  #setState(state: StreamsState): void {
    this.#state = state;
    this.emit('state', state);
  }

  async #connect(): Promise<void> {
    const { signal } = this.#abort;
    if (signal.aborted) return;
    this.#setState({ state: 'connecting' });
    let reason: ErrorData;
    try {
      const { connection, mux } = await this.#login(signal);
      this.#wasOpen = true;
      this.#retryMs = RETRY_FIRST_MS;
      this.#mux = mux;
      const ended = new Promise<string>((resolve) => mux.on('closed', (end) => resolve(end.reason)));
      this.#setState({ state: 'open', connection });
      this.#watch(connection);
      this.#serveWaiting();
      reason = lost(mux.end ? mux.end.reason : await ended);
      this.#mux = null;
      connection.session.close();
    } catch (error) {
      if (signal.aborted) return;
      // Anything else is the system's, too many open files for example, and passes.
      reason = error instanceof LiteDeskError ? error.toData() : lost(error instanceof Error ? error.message : String(error));
      if (reason.code === 'STREAMS_NOT_OFFERED') {
        this.#setState({ state: 'stock' });
        for (const waiter of [...this.#waiting]) waiter.resolve(null);
        return;
      }
      if (this.#isFinal(reason, FINAL) || (!this.#wasOpen && !this.#o.persistent)) return this.#finish(reason);
    }
    if (signal.aborted) return;
    const retryInMs = this.#retryMs;
    this.#retryMs = Math.min(RETRY_LAST_MS, retryInMs * 2);
    this.#setState({ state: 'waiting', error: reason, retryInMs });
    this.#cancelRetry = this.#clock.setTimer(retryInMs, () => void this.#connect());
  }

  /** A link over several paths outlives all of them for a while. */
  #watch(connection: Connected): void {
    if (!('onStateChange' in connection.link)) return;
    const link = connection.link as MultipathChannels;
    link.onStateChange((state) => {
      const current = this.#state;
      if ((current.state !== 'open' && current.state !== 'searching') || current.connection !== connection) return;
      if (state === 'searching') this.#setState({ state: 'searching', connection });
      if (state !== 'live') return;
      this.#setState({ state: 'open', connection });
      this.#serveWaiting();
    });
  }

  #serveWaiting(): void {
    if (this.#mux) for (const waiter of [...this.#waiting]) waiter.resolve(this.#mux);
  }

  /** Connects and logs in. Throws LiteDeskError. */
  async #login(signal: AbortSignal): Promise<{ connection: Connected; mux: Mux }> {
    const { peer, target, password, passwordHash, path, allowPlaintext, onProgress } = this.#o;
    let opened: () => void = () => {};
    const connection = await peer.connect(target, {
      signal,
      kind: 'tunnel',
      sessionId: this.#sessionId,
      video: false,
      password,
      passwordHash,
      ...(path ? { path } : {}),
      ...(allowPlaintext ? { allowPlaintext } : {}),
      ...(onProgress ? { onProgress } : {}),
      onRawMode: () => opened(),
    });
    const { session, link } = connection;
    // It may turn out to be a stock peer's.
    this.stockConnected(connection);
    return await new Promise((resolve, reject) => {
      const onAbort = (): void => fail(signal.reason);
      const settle = (): void => {
        cancel();
        signal.removeEventListener('abort', onAbort);
      };
      const fail = (error: unknown): void => {
        settle();
        // First: closing the session is reported, too, and says less.
        reject(error as Error);
        session.close();
      };
      let needed: ErrorData | null = null;
      const cancel = this.#clock.setTimer(LOGIN_TIMEOUT_MS, () => fail(needed ? new LiteDeskError(needed) : loginUnanswered()));
      // Within the event: the first frame of the mux may stand right behind the one that opened the session.
      opened = (): void => {
        settle();
        const channel = streamsLink(link);
        const limits = channel ? { limits: { deadMs: 0 } } : {};
        resolve({ connection, mux: new Mux({ link: channel ?? link, clock: this.#clock, role: 'connecting', afterTurn: setImmediate, ...limits }) });
      };
      session.on('opened', () => {
        if (streamsLink(link)) opened();
      });
      session.on('password-needed', ({ reason, error }) => {
        if (reason === 'wrong' || reason === '2fa') fail(new LiteDeskError(error));
        else needed = error;
      });
      session.on('closed', ({ error, reason }) => fail(error ? new LiteDeskError(error) : new LiteDeskError(lost(reason))));
      signal.addEventListener('abort', onAbort, { once: true });
      session.start();
    });
  }

  #finish(error: ErrorData | null): void {
    if (this.#state.state === 'closed') return;
    this.#abort.abort();
    this.#cancelRetry();
    this.#mux?.close('shutting-down');
    this.#mux = null;
    this.#setState({ state: 'closed', error });
    for (const waiter of [...this.#waiting]) waiter.reject(closedError(error));
  }
}

function lost(reason: string): ErrorData {
  return {
    code: 'TUNNEL_LINK_LOST',
    stage: 'session',
    message: `The connection to the other computer was lost${reason ? `: ${reason}` : ''}.`,
    hint: 'It is being restored; open connections were reset.',
  };
}

function closedError(error: ErrorData | null): LiteDeskError {
  return new LiteDeskError(error ?? lost('the tunnel was closed here'));
}
