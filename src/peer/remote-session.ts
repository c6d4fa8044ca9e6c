/**
 * One window on another computer: connects, logs in, and comes back by itself after the link broke (session §9.3). It owns
 * whatever ControllerSession is current; the window only shows its state.
 */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../core/clock.ts';
import type { Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { keyFingerprint } from '../core/crypto/fingerprint.ts';
import { LiteDeskError } from '../core/errors.ts';
import type { ErrorData } from '../core/errors.ts';
import type { ControllerSession } from '../core/session/index.ts';
import type { SessionInfo, SessionState } from '../shared/ipc.ts';
import { HostKeyChangedError } from '../net/index.ts';
import { aborted } from './errors.ts';
import type { Connected, ConnectOptions, Peer } from './peer.ts';
import { parseTarget } from './target.ts';

/** First pause before a reconnect; it doubles up to the last one and starts again after a success. */
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 16_000;
/** Shorter silences are not worth a word. */
const SILENCE_MS = 1_000;
/** The first picture of a session is there well before. */
const REMEMBER_AFTER_MS = 1_000;
/** After so long without success the window says so instead of trying for ever. */
const GIVE_UP_AFTER_MS = 5 * 60_000;

/** What the host asks for, in the words of the window. */
const REASONS = { required: 'required', wrong: 'wrong', 'wait-accept': 'waiting-accept', '2fa': 'two-factor' } as const;

interface RemoteSessionEvents {
  state: SessionState;
  /** A new ControllerSession is in use: attach to its events before anything arrives. */
  session: { session: ControllerSession; connection: Connected };
}

export interface RemoteSessionOptions {
  readonly peer: Pick<Peer, 'connect' | 'settings' | 'rememberPeer' | 'changeSettings' | 'pins' | 'server'>;
  readonly target: string;
  readonly clock?: Clock;
}

export class RemoteSession extends Emitter<RemoteSessionEvents> {
  readonly #options: RemoteSessionOptions;
  readonly #clock: Clock;
  readonly #abort = new AbortController();
  /** The same over all reconnects, so that the host knows the window again (session §2.8). */
  readonly #sessionId = randomBytes(8).readBigUInt64LE();
  #state: SessionState;
  #session: ControllerSession | null = null;
  #connection: Connected | null = null;
  #password: string | undefined;
  #remember = false;
  #allowPlaintext = false;
  #retryMs = RETRY_FIRST_MS;
  #opened = false;
  #brokenSince: number | null = null;
  #cancelRetry: () => void = () => {};
  #cancelSilence: () => void = () => {};
  #rememberNow: () => void = () => {};
  #decoding: ConnectOptions['decoding'];
  /** What the user is asked to trust: a new key, or (null) a link without protection by the known one. */
  #doubted: { readonly key: Uint8Array | null } | null = null;

  constructor(options: RemoteSessionOptions) {
    super();
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#state = { state: 'connecting', peerId: options.target, progress: { step: 'lookup', detail: '' } };
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The session in use; null while there is none. */
  get session(): ControllerSession | null {
    return this.#session;
  }

  get connection(): Connected | null {
    return this.#connection;
  }

  start(): void {
    void this.#connect();
  }

  /** What the window can decode; takes effect at once and at every reconnect. */
  setDecoding(decoding: NonNullable<ConnectOptions['decoding']>): void {
    this.#decoding = decoding;
    this.#session?.setDecoding({ vp8: true, vp9: true, av1: true, h264: true, ...decoding });
  }

  givePassword(password: string, remember: boolean): void {
    this.#password = password;
    this.#remember = remember;
    const session = this.#session;
    if (session) session.login(password);
    else if (this.#state.state !== 'open') void this.#connect();
  }

  /** Shows another monitor; an unknown one is left alone. */
  switchDisplay(display: number): void {
    if (this.#state.state !== 'open' || !this.#state.info.displays[display]) return;
    this.#session?.switchDisplay(display);
    this.#changeInfo({ currentDisplay: display });
  }

  /** Answers a question for the second factor. */
  giveCode(code: string): void {
    this.#session?.sendTwoFactor(code);
  }

  /** The user compared the keys: connects to the computer that has the new one, or that offers the older link. */
  trustKey(): void {
    const { peer, target } = this.#options;
    const doubted = this.#doubted;
    const parsed = parseTarget(target);
    if (!doubted || parsed.kind !== 'id') return;
    this.#doubted = null;
    const server = parsed.server ?? peer.server;
    if (doubted.key === null) peer.pins.allowOlderLink(parsed.id);
    else if (server) peer.pins.replaceHostKey(server.host, parsed.id, doubted.key);
    void this.#connect();
  }

  /** The user accepts an unencrypted connection to this peer, now and later. */
  async allowPlaintext(): Promise<void> {
    this.#allowPlaintext = true;
    const { peer } = this.#options;
    const peers = peer.settings.plaintextPeers;
    if (!peers.includes(this.#state.peerId)) await peer.changeSettings({ plaintextPeers: [...peers, this.#state.peerId] });
    void this.#connect();
  }

  /** Ends the window's connection for good. */
  close(): void {
    this.#abort.abort();
    this.#cancelRetry();
    const session = this.#session;
    this.#session = null;
    this.#cancelSilence();
    this.#rememberNow();
    session?.close();
    this.#setState({ state: 'closed', peerId: this.#state.peerId, error: null, reason: '' });
  }

  #setState(state: SessionState): void {
    this.#state = state;
    this.emit('state', state);
  }

  async #connect(): Promise<void> {
    const { peer, target } = this.#options;
    const signal = this.#abort.signal;
    if (signal.aborted) return;
    const peerId = this.#state.peerId;
    if (!this.#opened) this.#setState({ state: 'connecting', peerId, progress: { step: 'lookup', detail: '' } });
    try {
      const remembered = peer.settings.recentPeers.find((recent) => recent.id === peerId)?.passwordHash;
      const connection = await peer.connect(target, {
        signal,
        sessionId: this.#sessionId,
        allowPlaintext: this.#allowPlaintext,
        password: this.#password,
        passwordHash: this.#password === undefined ? remembered : undefined,
        ...(this.#decoding ? { decoding: this.#decoding } : {}),
        onProgress: (progress) => {
          // Further paths are looked for while the first one carries the login already.
          if (!this.#opened && !this.#session) this.#setState({ state: 'connecting', peerId, progress });
        },
      });
      if (signal.aborted) {
        connection.session.close();
        return;
      }
      this.#use(connection);
    } catch (error) {
      if (signal.aborted) return;
      const data = error instanceof LiteDeskError ? error.toData() : aborted().toData();
      if (this.#askAboutKey(error, data)) return;
      const plaintext = data.code === 'HANDSHAKE_NO_KEY' || data.code === 'HANDSHAKE_PLAINTEXT_REFUSED';
      if (plaintext && !this.#allowPlaintext) this.#setState({ state: 'plaintext-question', peerId, error: data });
      else if (this.#opened) this.#retry(data);
      else this.#setState({ state: 'closed', peerId, error: data, reason: '' });
    }
  }

  /** True for an error that is a question: whether this is the computer that was known. */
  #askAboutKey(error: unknown, data: ErrorData): boolean {
    const { peerId } = this.#state;
    const question = { state: 'key-question', peerId, error: data } as const;
    if (error instanceof HostKeyChangedError) {
      this.#doubted = { key: error.offered };
      this.#setState({ ...question, known: keyFingerprint(error.pinned), offered: keyFingerprint(error.offered) });
    } else if (data.code === 'HANDSHAKE_DOWNGRADE_REFUSED') {
      this.#doubted = { key: null };
      this.#setState({ ...question, known: '', offered: '' });
    } else return false;
    return true;
  }

  #use(connection: Connected): void {
    const { session } = connection;
    const peerId = connection.peerId;
    this.#session = session;
    this.#connection = connection;
    if (!this.#opened) this.#setState({ state: 'connecting', peerId, progress: { step: 'login', detail: '' } });
    this.emit('session', { session, connection });
    session.on('password-needed', ({ reason, message }) => {
      this.#setState({ state: 'password', peerId, reason: REASONS[reason], message });
    });
    session.on('opened', (info) => {
      this.#opened = true;
      this.#brokenSince = null;
      this.#retryMs = RETRY_FIRST_MS;
      this.#setState({
        state: 'open',
        peerId,
        info: {
          hostname: info.hostname,
          username: info.username,
          platform: info.platform,
          displays: info.displays,
          currentDisplay: info.currentDisplay,
          path: connection.path,
          encrypted: connection.encrypted,
          peerVerified: connection.peerVerified,
          keyboardAllowed: session.permissions.keyboard,
        },
      });
      const h1 = this.#remember || this.#wasRemembered(peerId) ? session.h1 : null;
      const { hostname: name, platform } = info;
      this.#rememberLater({ id: peerId, name, platform, ...(h1 ? { passwordHash: Buffer.from(h1).toString('hex') } : {}) });
    });
    session.on('displays', (displays) => this.#changeInfo({ displays }));
    session.on('geometry', ({ display, geometry }) => {
      if (this.#state.state !== 'open') return;
      const { displays } = this.#state.info;
      this.#changeInfo({ displays: displays.map((known, index) => (index === display ? geometry : known)) });
    });
    this.#watchSilence(connection);
    session.on('closed', ({ reason, retry, error }) => {
      if (this.#session === session) this.#session = null;
      this.#cancelSilence();
      this.#rememberNow();
      if (this.#abort.signal.aborted) return;
      if (retry && this.#opened) this.#retry(error ?? brokenLink(reason));
      else this.#setState({ state: 'closed', peerId, error: error ?? null, reason });
    });
    session.start();
  }

  /** The link waits for another way: the window says so, until the session goes on as if nothing had been. */
  #watchSilence(connection: Connected): void {
    connection.onSearching((searching) => {
      this.#cancelSilence();
      const open = this.#state;
      if (this.#session !== connection.session || !searching || open.state !== 'open') return;
      const stop = this.#clock.setTimer(SILENCE_MS, () =>
        this.#setState({ state: 'reconnecting', peerId: open.peerId, error: silentLink(), retryInMs: 0 }),
      );
      this.#cancelSilence = () => {
        stop();
        this.#cancelSilence = () => {};
        if (this.#session === connection.session && this.#state.state === 'reconnecting') this.#setState(open);
      };
    });
  }

  #changeInfo(change: Partial<SessionInfo>): void {
    if (this.#state.state === 'open') this.#setState({ ...this.#state, info: { ...this.#state.info, ...change } });
  }

  #wasRemembered(peerId: string): boolean {
    return this.#options.peer.settings.recentPeers.some((peer) => peer.id === peerId && peer.passwordHash !== undefined);
  }

  /** A file is written for it, for which the first picture need not wait. */
  #rememberLater(remembered: Parameters<Peer['rememberPeer']>[0]): void {
    this.#rememberNow();
    const stop = this.#clock.setTimer(REMEMBER_AFTER_MS, () => this.#rememberNow());
    this.#rememberNow = () => {
      stop();
      this.#rememberNow = () => {};
      this.#options.peer.rememberPeer(remembered);
    };
  }

  #retry(error: ErrorData): void {
    const now = this.#clock.now();
    this.#brokenSince ??= now;
    const peerId = this.#state.peerId;
    if (now - this.#brokenSince > GIVE_UP_AFTER_MS) {
      this.#setState({ state: 'closed', peerId, error, reason: '' });
      return;
    }
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(RETRY_LAST_MS, delayMs * 2);
    this.#setState({ state: 'reconnecting', peerId, error, retryInMs: delayMs });
    this.#cancelRetry = this.#clock.setTimer(delayMs, () => void this.#connect());
  }
}

function silentLink(): ErrorData {
  return {
    code: 'SESSION_SILENT',
    stage: 'session',
    message: 'Nothing comes through at the moment; another way is looked for.',
    hint: 'The session goes on by itself; check your network if this takes long.',
  };
}

function brokenLink(reason: string): ErrorData {
  return {
    code: 'SESSION_LINK_LOST',
    stage: 'session',
    message: `The connection was lost${reason ? `: ${reason}` : ''}.`,
    hint: 'It is being restored; check your network if this takes long.',
  };
}
