/** The running app: one peer, its windows, and what the windows may ask of it. */
import { randomUUID } from 'node:crypto';
import { BrowserWindow, clipboard } from 'electron';
import { systemClock } from '../core/clock.ts';
import { LiteDeskError } from '../core/errors.ts';
import type { Peer } from '../peer/peer.ts';
import { formatServer, parseServer } from '../peer/server-address.ts';
import { HOME_EVENT, ROUTE_EVENT, SESSION_EVENT, SESSION_PORT, STATS_EVENT, TUNNELS_EVENT } from '../shared/channels.ts';
import type { HomeState, SettingsChange } from '../shared/ipc.ts';
import type { WindowKind } from '../shared/schemas.ts';
import { homeState, settingsOf } from './home.ts';
import type { HostedServer } from './hosted-server.ts';
import type { Handlers } from './ipc.ts';
import { NetworkVerdict } from './network-verdict.ts';
import { SessionWindow } from './session/session-window.ts';
import { tunnelCommands } from './tunnels/commands.ts';
import type { Tunnels } from './tunnels/tunnels.ts';
import { MAX_SESSION_WINDOWS } from './windows.ts';
import type { Windows } from './windows.ts';

/** Changes of the home state come in bursts; the windows are told at most once in this time. */
const HOME_INTERVAL_MS = 50;
const LAN_SEARCH_TIMEOUT_MS = 5_000;
/** Opening and closing windows keeps the machine busy and changes the screen; the first picture of a session goes first. */
const HOST_BAR_DELAY_MS = 300;

export interface AppParts {
  readonly peer: Peer;
  readonly windows: Windows;
  readonly hostedServer: HostedServer;
  readonly tunnels: Tunnels;
  readonly quit: () => void;
  readonly log: (line: string) => void;
}

export class LiteDeskApp {
  readonly #parts: AppParts;
  readonly #sessions = new Map<string, SessionWindow>();
  readonly #offs: (() => void)[] = [];
  readonly #network: NetworkVerdict;
  #homeTimer: NodeJS.Timeout | null = null;
  #hostBarTimer: NodeJS.Timeout | null = null;
  #tunnelsTimer: NodeJS.Timeout | null = null;

  constructor(parts: AppParts) {
    this.#parts = parts;
    const { peer, hostedServer, tunnels } = parts;
    this.#network = new NetworkVerdict({ peer, clock: systemClock, onChange: () => this.#homeChanged() });
    this.#offs.push(() => this.#network.close());
    this.#offs.push(
      peer.on('changed', () => this.#homeChanged()),
      peer.on('ask', (info) => this.#parts.windows.open({ kind: 'accept', sessionId: info.sessionId })),
      peer.on('session-opened', () => {
        this.#hostBarTimer ??= setTimeout(() => this.#showControlled(), HOST_BAR_DELAY_MS);
      }),
      peer.on('session-closed', (info) => {
        this.#parts.windows.close({ kind: 'accept', sessionId: info.sessionId });
        if (!this.#isControlled()) this.#parts.windows.close({ kind: 'host-bar' });
      }),
      hostedServer.onChange(() => this.#homeChanged()),
      tunnels.on('changed', () => this.#tunnelsChanged()),
    );
  }

  #home(): HomeState {
    const { peer, hostedServer } = this.#parts;
    return homeState(peer, this.#network.report, hostedServer.state);
  }

  /** Opens the main window. */
  showHome(): void {
    this.#parts.windows.open({ kind: 'home' });
  }

  handlers(): Handlers {
    const { peer, windows, hostedServer, tunnels } = this.#parts;
    return {
      ...tunnelCommands(tunnels),
      getHome: () => this.#home(),
      copyText: async (_sender, text) => {
        await clipboard.writeText(text);
        return null;
      },
      renewPassword: () => {
        peer.renewPassword();
        return null;
      },
      changeSettings: async (_sender, change) => {
        await this.#changeSettings(change);
        return settingsOf(peer);
      },
      connect: (_sender, target) => this.#connect(target),
      forgetPeer: (_sender, id) => {
        peer.forgetPeer(id);
        return null;
      },
      discoverLan: async () => {
        const found = await peer.discoverLan(AbortSignal.timeout(LAN_SEARCH_TIMEOUT_MS));
        return found.map(({ id, hostname, platform, address }) => ({ id, name: hostname, platform, address }));
      },
      hostServer: async () => {
        const { host, port, key } = await hostedServer.start();
        // This computer is found through its own server from now on.
        await peer.changeSettings({ server: `${host.includes(':') ? `[${host}]` : host}:${port}`, key });
        return null;
      },
      stopHostedServer: async () => {
        await hostedServer.stop();
        return null;
      },
      quit: () => {
        this.#parts.quit();
        return null;
      },
      answerIncoming: (_sender, sessionId, accept) => {
        peer.answerIncoming(sessionId, accept);
        windows.close({ kind: 'accept', sessionId });
        return null;
      },
      closeIncoming: (_sender, sessionId) => {
        peer.closeIncoming(sessionId);
        return null;
      },
      getSession: (_sender, sessionId) => this.#session(sessionId).state,
      givePassword: (_sender, sessionId, password, remember) => {
        this.#session(sessionId).givePassword(password, remember);
        return null;
      },
      getRoute: (_sender, sessionId) => this.#session(sessionId).route,
      giveCode: (_sender, sessionId, code) => {
        this.#session(sessionId).giveCode(code);
        return null;
      },
      trustKey: (_sender, sessionId) => {
        this.#session(sessionId).trustKey();
        return null;
      },
      allowPlaintext: async (_sender, sessionId) => {
        await this.#session(sessionId).allowPlaintext();
        return null;
      },
      switchDisplay: (_sender, sessionId, display) => {
        this.#session(sessionId).switchDisplay(display);
        return null;
      },
      ctrlAltDel: (_sender, sessionId) => {
        this.#session(sessionId).ctrlAltDel();
        return null;
      },
      setFullScreen: (_sender, sessionId, on) => {
        windows.find({ kind: 'session', sessionId })?.setFullScreen(on);
        return null;
      },
      closeSession: (_sender, sessionId) => {
        windows.find({ kind: 'session', sessionId })?.close();
        return null;
      },
    };
  }

  /** A session window asks for its port. */
  openPort(sender: WindowKind, sessionId: unknown): void {
    if (sender.kind !== 'session' || sender.sessionId !== sessionId) return;
    const contents = this.#parts.windows.contents(sender);
    const session = this.#sessions.get(sender.sessionId);
    if (contents && session) contents.postMessage(SESSION_PORT, null, [session.openPort()]);
  }

  async stop(): Promise<void> {
    if (this.#homeTimer) clearTimeout(this.#homeTimer);
    if (this.#hostBarTimer) clearTimeout(this.#hostBarTimer);
    if (this.#tunnelsTimer) clearTimeout(this.#tunnelsTimer);
    for (const off of this.#offs.splice(0)) off();
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
    await this.#parts.tunnels.stop();
    await this.#parts.peer.stop();
    await this.#parts.hostedServer.stop();
  }

  /** The bar in place of the questions of those who gave the password. */
  #showControlled(): void {
    this.#hostBarTimer = null;
    const { peer, windows } = this.#parts;
    for (const { sessionId, state } of peer.incoming) if (state === 'open') windows.close({ kind: 'accept', sessionId });
    if (this.#isControlled()) windows.open({ kind: 'host-bar' });
  }

  /** Somebody works on this computer. */
  #isControlled(): boolean {
    return this.#parts.peer.incoming.some((entry) => entry.state === 'open');
  }

  #session(sessionId: string): SessionWindow {
    const session = this.#sessions.get(sessionId);
    if (session) return session;
    throw new LiteDeskError({
      code: 'SESSION_UNKNOWN',
      stage: 'usage',
      message: 'This session has ended.',
      hint: 'Close the window and connect again.',
    });
  }

  #connect(target: string): string {
    const { peer, windows } = this.#parts;
    if (windows.count('session') >= MAX_SESSION_WINDOWS)
      throw new LiteDeskError({
        code: 'TOO_MANY_SESSIONS',
        stage: 'usage',
        message: `There are ${MAX_SESSION_WINDOWS} sessions open already.`,
        hint: 'Close one of them first.',
      });
    const sessionId = randomUUID();
    const kind: WindowKind = { kind: 'session', sessionId };
    const session = new SessionWindow(peer, target, {
      onState: (state) => {
        windows.send(SESSION_EVENT, [sessionId, state], kind);
        if (state.state === 'open') windows.find(kind)?.setTitle(`${state.info.hostname || state.peerId} – LiteDesk`);
      },
      onRoute: (route) => windows.send(ROUTE_EVENT, [sessionId, route], kind),
      onStats: (stats) => windows.send(STATS_EVENT, [sessionId, stats], kind),
    });
    this.#sessions.set(sessionId, session);
    const window: BrowserWindow = windows.open(kind);
    window.on('blur', () => session.releaseKeys());
    window.on('closed', () => {
      this.#sessions.delete(sessionId);
      session.close();
    });
    session.start();
    return sessionId;
  }

  async #changeSettings(change: SettingsChange): Promise<void> {
    const { invitation, ...rest } = change;
    if (invitation !== undefined && invitation !== '') {
      const server = parseServer(invitation);
      Object.assign(rest, { server: formatServer(server), key: server.key, token: server.token ?? '' });
    }
    await this.#parts.peer.changeSettings(rest);
  }

  #homeChanged(): void {
    this.#homeTimer ??= setTimeout(() => {
      this.#homeTimer = null;
      this.#parts.windows.send(HOME_EVENT, [this.#home()]);
    }, HOME_INTERVAL_MS);
  }

  #tunnelsChanged(): void {
    this.#tunnelsTimer ??= setTimeout(() => {
      this.#tunnelsTimer = null;
      this.#parts.windows.send(TUNNELS_EVENT, [this.#parts.tunnels.state], { kind: 'home' });
    }, HOME_INTERVAL_MS);
  }
}
