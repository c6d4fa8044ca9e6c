/** The program without a window: it stays while others count on it, and the tray says so. */
import type { Peer } from '../peer/peer.ts';
import type { HostedServer } from './hosted-server.ts';
import type { AppTray } from './tray.ts';
import type { TrayAction, TrayState } from './tray-menu.ts';
import type { Tunnels } from './tunnels/tunnels.ts';

/** Changes come in bursts, and every tunnel tells its rate once a second. */
const UPDATE_INTERVAL_MS = 500;

export interface BackgroundOptions {
  readonly peer: Peer;
  readonly tunnels: Tunnels;
  readonly hostedServer: HostedServer;
  readonly showHome: () => void;
  readonly quit: () => void;
  readonly makeTray: (onAction: (action: TrayAction) => void) => Pick<AppTray, 'update' | 'sayItStays' | 'close'>;
}

export class Background {
  readonly #options: BackgroundOptions;
  readonly #tray: Pick<AppTray, 'update' | 'sayItStays' | 'close'>;
  readonly #offs: (() => void)[];
  #timer: NodeJS.Timeout | null = null;

  constructor(options: BackgroundOptions) {
    this.#options = options;
    const { peer, tunnels, hostedServer } = options;
    this.#tray = options.makeTray((action) => this.#act(action));
    const changed = (): void => this.#changed();
    this.#offs = [peer.on('changed', changed), tunnels.on('changed', changed), hostedServer.onChange(changed)];
    this.#update();
  }

  /** Somebody may want to reach this computer, or goes through it. */
  get isNeeded(): boolean {
    const { peer, tunnels, hostedServer } = this.#options;
    const reachable = peer.sharing && (peer.server !== null || peer.settings.directAccess);
    return reachable || tunnels.running > 0 || hostedServer.state !== null;
  }

  /** The last window was closed. */
  lastWindowClosed(): void {
    if (this.isNeeded) this.#tray.sayItStays(this.#options.peer.settings.language);
    else this.#options.quit();
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    for (const off of this.#offs.splice(0)) off();
    this.#tray.close();
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#update();
    }, UPDATE_INTERVAL_MS);
  }

  #update(): void {
    const { peer, tunnels } = this.#options;
    const open = peer.incoming.filter(({ state }) => state === 'open');
    const state: TrayState = {
      id: peer.id,
      sharing: peer.sharing,
      registration: peer.server ? peer.registration.state : 'no-server',
      controlledBy: open.map(({ peerName, peerId, remoteAddress }) => peerName || peerId || remoteAddress),
      tunnels: tunnels.running,
    };
    this.#tray.update(state, peer.settings.language);
  }

  #act(action: TrayAction): void {
    const { peer, showHome, quit } = this.#options;
    switch (action) {
      case 'open':
        return showHome();
      case 'share':
      case 'unshare':
        return void peer.changeSettings({ shareEnabled: action === 'share' });
      case 'disconnect':
        for (const { sessionId } of peer.incoming) peer.closeIncoming(sessionId);
        return;
      case 'quit':
        return quit();
    }
  }
}
