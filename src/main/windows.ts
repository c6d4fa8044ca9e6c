/** All windows of the app: how each is made, and which one a message comes from. */
import { join } from 'node:path';
import { BrowserWindow, screen } from 'electron';
import type { IpcMainEvent, IpcMainInvokeEvent, WebContents } from 'electron';
import { WINDOW_ARGUMENT } from '../shared/channels.ts';
import type { WindowKind } from '../shared/schemas.ts';
import { PAGE_ORIGIN } from './pages.ts';

/** Session windows at once: each decodes video; more would only be a mistake or a loop. */
export const MAX_SESSION_WINDOWS = 16;

const SIZES = {
  home: { width: 900, height: 640, minWidth: 560, minHeight: 480 },
  session: { width: 1180, height: 780, minWidth: 480, minHeight: 320 },
  accept: { width: 460, height: 340 },
  'host-bar': { width: 380, height: 120 },
} as const;

export interface WindowsOptions {
  /** Folder of the built preload scripts. */
  readonly preloadDir: string;
  readonly icon: string;
}

interface Entry {
  readonly window: BrowserWindow;
  readonly kind: WindowKind;
}

export class Windows {
  readonly #options: WindowsOptions;
  readonly #entries = new Map<number, Entry>();
  #onLastClosed: () => void = () => {};

  constructor(options: WindowsOptions) {
    this.#options = options;
  }

  /** The user closed the last window that keeps the app alive: the small ones come and go by themselves. */
  onLastClosed(listener: () => void): void {
    this.#onLastClosed = listener;
  }

  /** Opens the window of this kind, or brings the one that is open to the front. */
  open(kind: WindowKind): BrowserWindow {
    const open = this.find(kind);
    if (open) {
      if (open.isMinimized()) open.restore();
      open.show();
      return open;
    }
    const small = kind.kind === 'accept' || kind.kind === 'host-bar';
    const window = new BrowserWindow({
      ...SIZES[kind.kind],
      ...(kind.kind === 'host-bar' ? this.#corner(SIZES['host-bar']) : {}),
      show: false,
      title: 'LiteDesk',
      icon: this.#options.icon,
      backgroundColor: '#f6f7f9',
      autoHideMenuBar: true,
      resizable: !small,
      maximizable: !small,
      fullscreenable: !small,
      alwaysOnTop: small,
      skipTaskbar: kind.kind === 'host-bar',
      webPreferences: {
        preload: join(this.#options.preloadDir, 'index.cjs'),
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        webviewTag: false,
        spellcheck: false,
        navigateOnDragDrop: false,
        // A session that is covered by another window must not fall behind.
        backgroundThrottling: kind.kind !== 'session',
        additionalArguments: [`${WINDOW_ARGUMENT}${JSON.stringify(kind)}`],
      },
    });
    window.setMenu(null);
    const { id } = window.webContents;
    this.#entries.set(id, { window, kind });
    window.on('closed', () => {
      this.#entries.delete(id);
      if (this.count('home') + this.count('session') === 0) this.#onLastClosed();
    });
    // The bar must not take the keyboard away from whoever works on this computer.
    window.once('ready-to-show', () => (kind.kind === 'host-bar' ? window.showInactive() : window.show()));
    void window.loadURL(`${PAGE_ORIGIN}/index.html`);
    return window;
  }

  find(kind: WindowKind): BrowserWindow | null {
    for (const entry of this.#entries.values()) if (sameKind(entry.kind, kind)) return entry.window;
    return null;
  }

  close(kind: WindowKind): void {
    this.find(kind)?.destroy();
  }

  count(kind: WindowKind['kind']): number {
    return [...this.#entries.values()].filter((entry) => entry.kind.kind === kind).length;
  }

  /** The window that sent this, or null if it is not the main frame of one of ours, showing our page. */
  senderOf(event: IpcMainInvokeEvent | IpcMainEvent): Entry | null {
    const frame = event.senderFrame;
    const entry = this.#entries.get(event.sender.id);
    if (!frame || !entry || frame !== event.sender.mainFrame) return null;
    return frame.url.startsWith(`${PAGE_ORIGIN}/`) ? entry : null;
  }

  /** Sends an event to every window, or to those of one kind. */
  send(channel: string, parts: unknown[], kind?: WindowKind): void {
    for (const entry of this.#entries.values())
      if ((!kind || sameKind(entry.kind, kind)) && !entry.window.isDestroyed()) entry.window.webContents.send(channel, ...parts);
  }

  contents(kind: WindowKind): WebContents | null {
    const window = this.find(kind);
    return window && !window.isDestroyed() ? window.webContents : null;
  }

  #corner(size: { width: number; height: number }): { x: number; y: number } {
    const { workArea } = screen.getPrimaryDisplay();
    return { x: workArea.x + workArea.width - size.width - 16, y: workArea.y + workArea.height - size.height - 16 };
  }
}

function sameKind(a: WindowKind, b: WindowKind): boolean {
  return a.kind === b.kind && ('sessionId' in a ? a.sessionId : '') === ('sessionId' in b ? b.sessionId : '');
}
