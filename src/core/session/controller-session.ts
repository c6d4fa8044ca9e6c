import { Emitter } from '../emitter.ts';
import { LiteDeskError } from '../errors.ts';
import type { Clock } from '../clock.ts';
import { type LinkClose, PAYLOAD_LIMITS } from '../link.ts';
import type { hbb } from '../wire/proto.ts';
import { clipboardMessage } from './clipboard.ts';
import { encodeDecoding, type Decoding } from './codecs.ts';
import type { MouseButton, SessionPermissions } from './contract.ts';
import { ControllerInput } from './controller-input.ts';
import { ControllerLoginFlow } from './controller-login-flow.ts';
import { ControllerScreen } from './controller-screen.ts';
import type {
  ControllerClosed,
  ControllerSessionEvents,
  ControllerSessionOptions,
  Locks,
  PasswordInput,
  RemoteInfo,
  SessionOptions,
} from './controller-types.ts';
import { allPermissions, permissionName } from './host-announce.ts';
import * as limits from './limits.ts';
import { loginRequest } from './login-request.ts';
import { optionMessage } from './option-message.ts';
import { streamsLink } from './streams-link.ts';
import { placeOn, readRemoteInfo } from './remote-info.ts';
import { RoundTrips } from './round-trips.ts';
import { mayRetry, sessionErrors } from './session-errors.ts';
import { SessionLink } from './session-link.ts';

type State = 'idle' | 'waiting-hash' | 'login' | 'open' | 'raw' | 'closed';

/**
 * The controlling side of one connection, from `hash` to `close_reason` (session §2.3 on). Attach listeners, then call
 * `start()`. Never throws because of what the peer sends.
 */
export class ControllerSession extends Emitter<ControllerSessionEvents> {
  readonly #o: ControllerSessionOptions;
  readonly #wire: SessionLink;
  readonly #clock: Clock;
  readonly #input: ControllerInput;
  readonly #login: ControllerLoginFlow;
  readonly #roundTrips: RoundTrips;
  readonly #permissions = allPermissions();
  #state: State = 'idle';
  #decoding: Decoding;
  #options: SessionOptions;
  #info: RemoteInfo | null = null;
  #cancelTick: (() => void) | null = null;
  #startedAt = 0;
  /** What the open session shows. */
  #screen: ControllerScreen | null = null;
  /** Set while we end it: what the link then reports is not news. */
  #closing = false;
  #lastClipboard: string | null = null;
  #takesStreams = false;

  constructor(options: ControllerSessionOptions) {
    super();
    this.#o = options;
    this.#wire = new SessionLink(options.link, options.clock);
    this.#clock = options.clock;
    this.#decoding = options.decoding;
    this.#options = { ...options.options };
    this.#login = new ControllerLoginFlow({
      password: options.password ?? null,
      random: options.random,
      native: options.native ?? null,
      events: {
        request: () => loginRequest(options, this.#options, this.#decoding),
        send: (message) => this.#send(message),
        needPassword: (needed) => this.emit('password-needed', needed),
        accepted: (info) => this.#onAccepted(info),
        failed: (reason, error) => this.#finish({ reason, retry: false, error }),
      },
    });
    this.#roundTrips = new RoundTrips(options.clock, (time) =>
      this.#send({ testDelay: { time, fromClient: true } }),
    );
    this.#input = new ControllerInput((message) => {
      if (this.#state === 'open' && this.#permissions.keyboard && !this.#options.disableKeyboard)
        this.#send(message);
    });
  }

  /** The password as it can be kept for this host; good together with `salt` only. Null before a password was used. */
  get h1(): Uint8Array | null {
    return this.#login.h1;
  }

  /** Salt of this host; a kept h1 of another salt is worthless. Null before `hash` came. */
  get salt(): string | null {
    return this.#login.salt;
  }

  /** The host has proven that it knows the password, which native links alone can tell. */
  get hostProven(): boolean {
    return this.#login.hostProven;
  }

  get info(): RemoteInfo | null {
    return this.#info;
  }

  /** The host takes virtual streams; known once the session is open. */
  get takesStreams(): boolean {
    return this.#takesStreams;
  }

  /** What the host grants at the moment. */
  get permissions(): SessionPermissions {
    return { ...this.#permissions };
  }

  get open(): boolean {
    return this.#state === 'open' || this.#state === 'raw';
  }

  start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'waiting-hash';
    this.#wire.setMaxPayload(PAYLOAD_LIMITS.login);
    this.#startedAt = this.#clock.now();
    this.#cancelTick = this.#clock.setTimer(limits.TEST_DELAY_INTERVAL_MS, () => this.#tick());
    this.#wire.open({
      onMessage: (message) => this.#onMessage(message),
      onClose: (close) => this.#onClose(close),
    });
  }

  /** Logs in on the same connection with a password, its hash, or (empty text) by waiting for a click (session §2.4). */
  login(password: PasswordInput): void {
    if (this.#state !== 'login' && this.#state !== 'waiting-hash' && this.#state !== 'idle') return;
    this.#login.login(password);
  }

  /** Answers a question for the second factor (session §2.7). */
  sendTwoFactor(code: string): void {
    if (this.#state === 'login') this.#send({ auth2fa: { code } });
  }

  /** Absolute coordinates of the host's virtual desktop. */
  mouseMove(x: number, y: number): void {
    this.#input.move(x, y);
  }

  /** Coordinates inside the picture of one display, in its pixels; clamped to it (session §4.1). */
  mouseMoveOn(display: number, x: number, y: number): void {
    const place = this.#placeOn(display, x, y);
    if (place) this.#input.move(place.x, place.y);
  }

  mouseRelative(dx: number, dy: number): void {
    this.#input.moveRelative(dx, dy);
  }

  /** `at` in absolute coordinates: the pointer is moved there first. */
  mouseButton(button: MouseButton, down: boolean, at?: { x: number; y: number }): void {
    this.#input.button(button, down, at);
  }

  /** Like mouseButton, with the place inside the picture of one display. */
  mouseButtonOn(display: number, button: MouseButton, down: boolean, x: number, y: number): void {
    this.#input.button(button, down, this.#placeOn(display, x, y) ?? undefined);
  }

  /** Wire signs: dy > 0 away from the user, dx > 0 left; notches, or with `fine` about pixels (session §4.1). */
  mouseWheel(dx: number, dy: number, fine = false): void {
    this.#input.wheel(dx, dy, fine);
  }

  /** `code` and `key` as in DOM KeyboardEvent. */
  key(code: string, key: string, down: boolean, locks: Locks = {}): void {
    this.#input.key(code, key, down, locks);
  }

  typeText(text: string): void {
    this.#input.text(text);
  }

  ctrlAltDel(): void {
    this.#input.ctrlAltDel();
  }

  lockScreen(): void {
    this.#input.lockScreen();
  }

  /** Lifts every key and button that is down; call it when the window loses the keyboard. */
  releaseKeys(): void {
    this.#input.releaseAll();
  }

  /** Asks for a key frame of one display, or of all (session §3.5). */
  refreshVideo(display?: number): void {
    this.#misc(display === undefined ? { refreshVideo: true } : { refreshVideoDisplay: display });
  }

  /** With `videoAck`: the last frame was decoded, the host may send the next. */
  ackVideo(): void {
    this.#misc({ videoReceived: true });
  }

  setDecoding(decoding: Decoding): void {
    this.#decoding = decoding;
    this.#misc({ option: { supportedDecoding: encodeDecoding(decoding) } });
  }

  setOption(change: SessionOptions): void {
    if (change.disableKeyboard) this.#input.releaseAll();
    this.#options = { ...this.#options, ...change };
    this.#misc({ option: optionMessage(change) });
  }

  /** Shows another display; the host answers with `geometry` (session §3.8). */
  switchDisplay(display: number): void {
    if (!this.#info?.displays[display] || this.#state !== 'open') return;
    this.#info.currentDisplay = display;
    this.#misc({ switchDisplay: { display } });
    this.#misc({ captureDisplays: { set: [display] } });
    this.#misc({ refreshVideoDisplay: display });
  }

  /** Streams exactly these displays. */
  captureDisplays(displays: number[]): void {
    this.#misc({ captureDisplays: { set: displays } });
  }

  chat(text: string): void {
    this.#misc({ chatMessage: { text: text.slice(0, limits.CHAT_LENGTH) } });
  }

  /** Puts text into the host's clipboard; ignored where the host or the options do not allow it (session §5.1). */
  sendClipboard(text: string): void {
    if (this.#state !== 'open' || !this.#info || !this.#mayClipboard || text === this.#lastClipboard) return;
    const message = clipboardMessage(text, this.#info);
    if (!message) return;
    this.#lastClipboard = text;
    this.#send(message);
  }

  /**
   * Round trip to the host's session and back in milliseconds, through the same queue as everything else; works before
   * login too (session §3.7). @throws LiteDeskError SESSION_CLOSED, or the reason of `signal`
   */
  async ping(signal?: AbortSignal): Promise<number> {
    if (this.#state === 'closed' || this.#state === 'raw' || this.#state === 'idle') throw new LiteDeskError(sessionErrors.closed());
    return await this.#roundTrips.measure(signal);
  }

  /** Ends the session in order (session §9.3). */
  close(): void {
    if (this.#state === 'closed') return;
    if (this.#state === 'open') this.#input.releaseAll();
    this.#closing = true;
    if (this.#state !== 'raw') this.#misc({ closeReason: '' }, true);
    this.#finish({ reason: '', retry: false });
  }

  #onMessage(message: hbb.Message): void {
    if (this.#state === 'closed' || this.#state === 'raw') return;
    switch (message.union) {
      case 'hash':
        this.#onHash(message.hash ?? {});
        return;
      case 'testDelay':
        this.#onTestDelay(message.testDelay ?? {});
        return;
      case 'loginResponse':
        if (this.#state === 'login') this.#login.onResponse(message.loginResponse ?? {});
        return;
      case 'misc':
        if (this.#onMisc(message.misc ?? {})) return;
        break;
      case 'messageBox': {
        const box = message.messageBox;
        const cut = (text: string | null | undefined): string => (text ?? '').slice(0, limits.CHAT_LENGTH);
        this.emit('message-box', { type: cut(box?.msgtype), title: cut(box?.title), text: cut(box?.text) });
        return;
      }
      default:
        break;
    }
    if (this.#state === 'open') this.#screen?.onMessage(message);
  }

  #onHash(hash: hbb.IHash): void {
    if (this.#state !== 'waiting-hash') return;
    this.#takesStreams = hash.streams ?? false;
    // A stock host would take it for a wish to see its desktop.
    if (this.#o.kind === 'tunnel' && !this.#takesStreams)
      return this.#finish({ reason: '', retry: false, error: sessionErrors.noStreams() });
    this.#state = 'login';
    this.#login.onHash(hash);
  }

  #onTestDelay(message: hbb.ITestDelay): void {
    if (message.fromClient) {
      this.#roundTrips.answered(message.time ?? 0n);
      return;
    }
    // At once and unchanged, even before login (session §3.7), unless the host does not read the echoes.
    if (this.#wire.bufferedBytes < limits.REPLY_BUFFER_BYTES) this.#send({ testDelay: message });
    this.emit('delay', { rttMs: message.lastDelay ?? 0, targetBitrate: (message.targetBitrate ?? 0) * 1000 });
  }

  #onAccepted(message: hbb.IPeerInfo): void {
    // Whoever accepted our login is the host that we asked for; before that it was anybody.
    this.#wire.setMaxPayload(PAYLOAD_LIMITS.session);
    const info = readRemoteInfo(message);
    this.#info = info;
    this.#input.setTarget(info);
    if (this.#o.kind === 'port-forward' || (this.#o.kind === 'tunnel' && !streamsLink(this.#o.link))) {
      this.#state = 'raw';
      this.#stopTimers();
      this.emit('opened', info);
      this.#o.onRawMode?.();
      return;
    }
    this.#state = 'open';
    this.#screen = new ControllerScreen({
      info,
      mayClipboard: () => this.#mayClipboard,
      emit: (name, event) => {
        if (name === 'clipboard') this.#lastClipboard = (event as ControllerSessionEvents['clipboard']).text;
        this.emit(name, event);
      },
    });
    this.emit('opened', info);
  }

  /** What counts before the session is open, too; answers true for that. */
  #onMisc(misc: hbb.IMisc): boolean {
    if (misc.closeReason != null) {
      const reason = misc.closeReason.slice(0, limits.CHAT_LENGTH);
      this.#finish({ reason, retry: mayRetry(reason), error: sessionErrors.closedByPeer(reason) });
      return true;
    }
    if (!misc.permissionInfo) return false;
    const name = permissionName(misc.permissionInfo.permission ?? 0);
    const enabled = misc.permissionInfo.enabled ?? false;
    if (!name) return true;
    this.#permissions[name] = enabled;
    this.emit('permission', { name, enabled });
    return true;
  }

  #placeOn(display: number, x: number, y: number): { x: number; y: number } | null {
    return this.#info && placeOn(this.#info, display, x, y);
  }

  get #mayClipboard(): boolean {
    const { keyboard, clipboard } = this.#permissions;
    return keyboard && clipboard && !this.#options.disableClipboard && !this.#options.disableKeyboard;
  }

  #tick(): void {
    const now = this.#clock.now();
    this.#cancelTick = this.#clock.setTimer(limits.TEST_DELAY_INTERVAL_MS, () => this.#tick());
    if (this.#state === 'waiting-hash' && now - this.#startedAt >= limits.HASH_TIMEOUT_MS)
      this.#finish({ reason: 'Timeout', retry: true, error: sessionErrors.loginTimeout() }, true);
    else if (this.#wire.silentMs(now) >= (this.#o.sessionTimeouts?.receiveMs ?? limits.RECEIVE_TIMEOUT_MS))
      this.#finish({ reason: 'Timeout', retry: true, error: sessionErrors.timeout() }, true);
    else if (this.#wire.stalledMs(now) >= (this.#o.sessionTimeouts?.writeStallMs ?? limits.WRITE_STALL_MS))
      this.#finish({ reason: 'Timeout', retry: true, error: sessionErrors.stalled() }, true);
  }

  #onClose(close: LinkClose): void {
    if (this.#closing || this.#state === 'closed' || this.#state === 'raw') return;
    const cause = close.error?.message ?? (close.by === 'local' ? 'closed' : 'closed by the other side');
    this.#finish({ reason: 'Reset by the peer', retry: true, error: sessionErrors.reset(cause) });
  }

  #misc(misc: hbb.IMisc, always = false): void {
    if (always || this.#state === 'open') this.#send({ misc });
  }

  #send(message: hbb.IMessage): void {
    if (this.#state !== 'closed') this.#wire.send(message);
  }

  #stopTimers(): void {
    this.#cancelTick?.();
    this.#cancelTick = null;
    this.#roundTrips.fail(new LiteDeskError(sessionErrors.closed()));
  }

  #finish(closed: ControllerClosed, atOnce = false): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#stopTimers();
    this.#wire.end(atOnce);
    this.emit('closed', closed);
  }
}
