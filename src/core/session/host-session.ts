import type { Clock } from '../clock.ts';
import { Emitter } from '../emitter.ts';
import type { ErrorData } from '../errors.ts';
import { type LinkClose, PAYLOAD_LIMITS } from '../link.ts';
import type { hbb } from '../wire/proto.ts';
import { addressHost } from './attempt-limits.ts';
import type { RecentSession } from './authenticator.ts';
import type { SessionPermissions } from './contract.ts';
import { HostDesk } from './host-desk.ts';
import { identityOf, kindOf, tunnelTarget } from './host-login.ts';
import { HostLoginFlow } from './host-login-flow.ts';
import { HostTunnel } from './host-tunnel.ts';
import type { HostClosed, HostSessionEvents, HostSessionOptions, HostSessionStats, PeerIdentity } from './host-types.ts';
import * as limits from './limits.ts';
import { CLOSE, LOGIN } from './login-strings.ts';
import { hostPeerInfo, permissionNumber, PERMISSION_NAMES } from './host-announce.ts';
import { RateControl } from './quality.ts';
import { sessionErrors } from './session-errors.ts';
import { PROTOCOL_VERSION } from './version.ts';
import { streamsLink } from './streams-link.ts';
import { SessionLink } from './session-link.ts';

type State = 'idle' | 'login' | 'connecting-tunnel' | 'open' | 'raw' | 'closed';

/**
 * The controlled side of one connection, from `hash` to `close_reason` (session §2.3 on). Attach listeners, then call
 * `start()`. Never throws because of what the peer sends.
 */
export class HostSession extends Emitter<HostSessionEvents> {
  readonly #o: HostSessionOptions;
  readonly #wire: SessionLink;
  readonly #clock: Clock;
  readonly #login: HostLoginFlow;
  readonly #permissions: SessionPermissions;
  readonly #rate = new RateControl();
  readonly #tunnel = new HostTunnel();
  #letGoOfVideo: (() => void) | null = null;
  #state: State = 'idle';
  #asked = false;
  #recent: RecentSession | null = null;
  #desk: HostDesk | null = null;
  #cancelTick: (() => void) | null = null;
  #startedAt = 0;
  #pingSentAt: number | null = null;
  #lastRtt: number | null = null;
  /** Our own proof of the password, for the acceptance. */
  #nativeTag: Uint8Array | null = null;
  #finished = false;
  /** Set while we end it: what the link then reports is not news. */
  #closing = false;

  constructor(options: HostSessionOptions) {
    super();
    this.#o = options;
    this.#wire = new SessionLink(options.link, options.clock);
    this.#clock = options.clock;
    this.#permissions = { ...options.permissions };
    this.#login = new HostLoginFlow({
      authenticator: options.authenticator,
      random: options.random,
      ownId: options.ownId,
      address: addressHost(options.remoteAddress ?? options.link.remoteAddress),
      tunnelsAllowed: options.onPortForward !== undefined,
      streamsAllowed: options.streams ?? false,
      native: options.native ?? null,
      events: {
        send: (message) => this.#wire.send(message),
        authorise: (request, recentH1, nativeTag) => this.#authorise(request, recentH1, nativeTag),
        wait: (request, ask, error) => this.#wait(request, ask, error),
        refuse: (request, { error, close, ask, nativeShares }) => {
          this.#refuse(request, error, close, nativeShares);
          if (ask) this.#ask(request);
        },
      },
    });
  }

  /** Who logged in or tries to; null before the first login request. */
  get peer(): PeerIdentity | null {
    const { request } = this.#login;
    return request && this.#identity(request);
  }

  get permissions(): SessionPermissions {
    return { ...this.#permissions };
  }

  get open(): boolean {
    return this.#state === 'open' || this.#state === 'raw';
  }

  get stats(): HostSessionStats {
    const video = this.#desk?.video;
    return {
      rttMs: this.#lastRtt,
      fps: this.#rate.rate.fps,
      bitrateBps: video?.bitrateBps ?? 0,
      codec: video && video.displays.length > 0 ? video.codec : '',
      framesSent: video?.stats.framesSent ?? 0,
      framesDropped: video?.stats.framesDropped ?? 0,
      keyFramesSent: video?.stats.keyFramesSent ?? 0,
      videoBytesSent: video?.stats.videoBytesSent ?? 0,
    };
  }

  /** Opens the session: `hash` first, then the permissions that are off, then the heartbeat (session §2.3). */
  start(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'login';
    this.#startedAt = this.#clock.now();
    this.#wire.setMaxPayload(PAYLOAD_LIMITS.login);
    this.#wire.send({ hash: { ...this.#login.open(), ...(this.#o.streams ? { streams: true } : {}) } });
    for (const name of PERMISSION_NAMES)
      if (!this.#permissions[name])
        this.#wire.send({ misc: { permissionInfo: { permission: permissionNumber(name), enabled: false } } });
    this.#cancelTick = this.#clock.setTimer(limits.FIRST_TEST_DELAY_MS, () => this.#tick());
    this.#letGoOfVideo = this.#o.desktop?.prepareVideo?.() ?? null;
    this.#wire.open({
      onMessage: (message) => this.#onMessage(message),
      onDrain: () => this.#desk?.video.pump(),
      onClose: (close) => this.#onClose(close),
    });
  }

  /** Somebody clicked Accept: opens the session without a password (session §2.6). */
  accept(): void {
    const { request } = this.#login;
    if (this.#state === 'login' && request) this.#authorise(request, null, null);
  }

  /** Somebody clicked Dismiss. */
  dismiss(): void {
    this.disconnect(CLOSE.manually);
  }

  /** Ends the session in order; the text decides whether the controller tries again (session §9.3). */
  disconnect(reason: string = CLOSE.manually): void {
    if (this.#finished) return;
    this.#recent?.drop();
    this.#closing = true;
    if (this.#state !== 'raw') this.#wire.send({ misc: { closeReason: reason } });
    this.#finish({ reason, by: 'local' });
  }

  /** The link had no path for a while and has one again: the picture is shown anew, at the rate it had. */
  resumed(): void {
    if (this.#state !== 'open') return;
    this.#pingSentAt = null;
    this.#rate.resumed();
    this.#desk?.video.setRate(this.#rate.rate);
    this.#desk?.video.refresh();
    this.#desk?.video.pump();
  }

  /** Grants or withdraws a permission and tells the controller. */
  setPermission(name: keyof SessionPermissions, on: boolean): void {
    if (this.#permissions[name] === on || this.#finished) return;
    this.#permissions[name] = on;
    if (this.#state === 'raw') return;
    this.#wire.send({ misc: { permissionInfo: { permission: permissionNumber(name), enabled: on } } });
    this.#desk?.permissionsChanged();
  }

  /** Sends a chat line; ignored before the session is open. */
  chat(text: string): void {
    if (this.#state === 'open')
      this.#wire.send({ misc: { chatMessage: { text: text.slice(0, limits.CHAT_LENGTH) } } });
  }

  #onMessage(message: hbb.Message): void {
    if (this.#finished || this.#state === 'raw') return;
    this.#recent?.touch();
    switch (message.union) {
      case 'testDelay':
        this.#onTestDelay(message.testDelay ?? {});
        return;
      case 'loginRequest':
        if (message.loginRequest && this.#state === 'login') this.#login.onRequest(message.loginRequest);
        return;
      case 'auth2fa':
        // No second factor is configured here, so no code can be right.
        if (this.#state === 'login' && this.#login.request)
          this.#refuse(this.#login.request, LOGIN.twoFactorWrong, false);
        return;
      default:
        break;
    }
    const misc = message.misc;
    if (misc?.union === 'closeReason') {
      this.#recent?.drop();
      this.#finish({ reason: (misc.closeReason ?? '').slice(0, limits.NAME_LENGTH), by: 'peer' });
      return;
    }
    // Before authorisation nothing else counts, and nothing else is answered (session §9.1).
    if (this.#state !== 'open' || !this.#desk) return;
    if (misc?.union === 'chatMessage') {
      const text = (misc.chatMessage?.text ?? '').slice(0, limits.CHAT_LENGTH);
      if (text) this.emit('chat', { text });
      return;
    }
    this.#desk.onMessage(message);
  }

  #onTestDelay(message: hbb.ITestDelay): void {
    if (message.fromClient) {
      // A probe of the controller goes back unchanged (session §3.7), unless it does not read the answers.
      if (this.#wire.bufferedBytes < limits.REPLY_BUFFER_BYTES) this.#wire.send({ testDelay: message });
      return;
    }
    if (this.#pingSentAt === null) return;
    const now = this.#clock.now();
    const rtt = now - this.#pingSentAt;
    this.#pingSentAt = null;
    this.#lastRtt = Math.max(0, Math.round(rtt));
    this.#rate.sample(rtt, now);
    this.#desk?.video.setRate(this.#rate.rate);
    this.#desk?.video.pump();
    if (this.#state === 'connecting-tunnel') this.#maybeRaw();
  }

  #wait(request: hbb.ILoginRequest, ask: boolean, error: string | undefined): void {
    this.emit('login-attempt', { ...this.#identity(request), result: ask ? 'asking' : 'waiting', error });
    if (error) this.#wire.send({ loginResponse: { error } });
    if (ask) this.#ask(request);
  }

  #ask(request: hbb.ILoginRequest): void {
    if (this.#asked || this.#finished) return;
    this.#asked = true;
    this.emit('ask', this.#identity(request));
  }

  #refuse(request: hbb.ILoginRequest, error: string, close: boolean, nativeShares: Uint8Array[] = []): void {
    this.emit('login-attempt', { ...this.#identity(request), result: 'refused', error });
    if (this.#finished) return;
    this.#closing = close;
    this.#wire.send({ loginResponse: { error, nativeShares } });
    if (close) this.#finish({ reason: error, by: 'refused' });
  }

  #authorise(request: hbb.ILoginRequest, recentH1: Uint8Array | null, nativeTag: Uint8Array | null): void {
    this.emit('login-attempt', { ...this.#identity(request), result: 'authorised' });
    if (this.#finished) return;
    this.#wire.setMaxPayload(PAYLOAD_LIMITS.session);
    if (recentH1)
      this.#recent = this.#o.authenticator.openRecent(
        { myId: request.myId ?? '', myName: request.myName ?? '', sessionId: request.sessionId ?? 0n },
        recentH1,
      );
    this.#nativeTag = nativeTag;
    if (kindOf(request) === 'port-forward') {
      void this.#openTunnel(request);
      return;
    }
    if (kindOf(request) === 'tunnel') {
      this.#openStreams(request);
      return;
    }
    this.#state = 'open';
    this.#sendPeerInfo('desktop');
    this.#desk = new HostDesk({
      desktop: this.#o.desktop,
      clock: this.#clock,
      link: this.#o.link,
      permissions: this.#permissions,
      rate: this.#rate,
      viewer: { version: request.version ?? '', platform: request.myPlatform ?? '' },
      ackRequired: request.videoAckRequired ?? false,
      send: (message) => this.#wire.send(message),
      congested: () => this.#pingSentAt !== null && this.#rate.late(this.#clock.now() - this.#pingSentAt),
      onVideoError: (error) => {
        if (!this.#finished) this.emit('video-error', error);
      },
    });
    this.emit('opened', this.#identity(request));
    if (!this.#finished) this.#desk.start(request.option ?? null);
    this.#letGoOfVideo?.();
    this.#letGoOfVideo = null;
  }

  /** Beside the session where the link has a channel for it, else in its place. */
  #openStreams(request: hbb.ILoginRequest): void {
    this.#letGoOfVideo?.();
    this.#letGoOfVideo = null;
    if (streamsLink(this.#o.link)) {
      this.#state = 'open';
      this.#sendPeerInfo('port-forward');
      this.emit('opened', this.#identity(request));
      return;
    }
    this.#state = 'connecting-tunnel';
    this.#tunnel.connectNothing();
    this.#maybeRaw();
  }

  async #openTunnel(request: hbb.ILoginRequest): Promise<void> {
    if (!this.#o.onPortForward) return;
    this.#state = 'connecting-tunnel';
    const refusal = await this.#tunnel.connect(tunnelTarget(request), this.#o.onPortForward);
    if (this.#finished) return;
    if (refusal === null) this.#maybeRaw();
    else this.#refuse(request, refusal, true);
  }

  /** Raw only when no heartbeat is unanswered: its echo would be the first bytes of the tunnel (session §7.5). */
  #maybeRaw(): void {
    const { request } = this.#login;
    if (!this.#tunnel.connected || !request || this.#pingSentAt !== null || this.#finished) return;
    this.#sendPeerInfo('port-forward');
    this.#state = 'raw';
    this.#stopTimers();
    this.emit('opened', this.#identity(request));
    if (this.#finished) return;
    const { host, port } = tunnelTarget(request);
    this.emit('raw', { host, port });
    this.#tunnel.start();
  }

  #sendPeerInfo(kind: 'desktop' | 'port-forward'): void {
    this.#wire.send({
      loginResponse: {
        ...(this.#nativeTag ? { nativeTag: this.#nativeTag } : {}),
        peerInfo: hostPeerInfo(kind, this.#o.desktop, {
          ...this.#o.hostInfo,
          version: this.#o.hostInfo.version ?? PROTOCOL_VERSION,
        }),
      },
    });
  }

  /** Once a second: limits first, then the heartbeat, unless one is still on its way (session §3.7). */
  #tick(): void {
    const now = this.#clock.now();
    const t = this.#o.sessionTimeouts;
    this.#cancelTick = this.#clock.setTimer(limits.TEST_DELAY_INTERVAL_MS, () => this.#tick());
    if (this.#wire.silentMs(now) >= (t?.receiveMs ?? limits.RECEIVE_TIMEOUT_MS))
      return this.#fail('timeout', sessionErrors.timeout());
    if (this.#wire.stalledMs(now) >= (t?.writeStallMs ?? limits.WRITE_STALL_MS))
      return this.#fail('timeout', sessionErrors.stalled());
    if (this.#state === 'login' && now - this.#startedAt >= (t?.unauthorisedMs ?? limits.UNAUTHORISED_MS))
      return this.#fail('timeout', sessionErrors.loginIdle());
    if (this.#pingSentAt !== null) {
      this.#rate.waiting(now - this.#pingSentAt);
      this.#desk?.video.setRate(this.#rate.rate);
      return;
    }
    // Not while a tunnel is being connected: see #maybeRaw.
    if (this.#state === 'connecting-tunnel') return;
    this.#pingSentAt = now;
    this.#wire.send({
      testDelay: {
        time: 0n,
        fromClient: false,
        lastDelay: this.#lastRtt ?? 0,
        targetBitrate: Math.round((this.#desk?.video.bitrateBps ?? 0) / 1000),
      },
    });
  }

  #onClose(close: LinkClose): void {
    if (this.#closing || this.#finished || this.#state === 'raw') return;
    const cause = close.error?.message ?? (close.by === 'remote' ? 'closed by the other side' : 'closed');
    this.#finish({
      reason: cause,
      by: close.by === 'remote' ? 'peer' : close.by === 'local' ? 'local' : 'error',
      error: sessionErrors.reset(cause),
    });
  }

  #fail(by: 'timeout' | 'error', error: ErrorData): void {
    this.#finish({ reason: error.message, by, error });
  }

  #stopTimers(): void {
    this.#cancelTick?.();
    this.#cancelTick = null;
  }

  #identity(request: hbb.ILoginRequest): PeerIdentity {
    // The login is refused where the two ids differ.
    return identityOf(request, this.#o.native?.peer != null);
  }

  #finish(closed: HostClosed): void {
    if (this.#finished) return;
    const wasOpen = this.open;
    this.#finished = true;
    this.#state = 'closed';
    this.#stopTimers();
    this.#tunnel.cancel();
    this.#desk?.stop();
    this.#letGoOfVideo?.();
    this.#letGoOfVideo = null;
    this.#wire.end(closed.by === 'timeout');
    if (wasOpen) this.#o.authenticator.sessionEnded();
    this.emit('closed', closed);
  }
}
