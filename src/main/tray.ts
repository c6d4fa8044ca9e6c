/** The icon in the system's tray. Where a desktop has none, starting the program again shows its window. */
import { Menu, nativeImage, Notification, Tray } from 'electron';
import type { MenuItemConstructorOptions } from 'electron';
import type { Language } from '../shared/ipc.ts';
import { staysWords, type TrayAction, trayMenu, type TrayState, trayStatus } from './tray-menu.ts';

/** As trays draw them; larger ones are scaled badly by some. */
const ICON_SIZE = 22;

export interface AppTrayOptions {
  readonly icon: string;
  readonly onAction: (action: TrayAction) => void;
}

export class AppTray {
  readonly #options: AppTrayOptions;
  #tray: Tray | null = null;
  #shown = '';
  #saidStays = false;

  constructor(options: AppTrayOptions) {
    this.#options = options;
    const icon = nativeImage.createFromPath(options.icon).resize({ width: ICON_SIZE, height: ICON_SIZE });
    this.#tray = new Tray(icon);
    this.#tray.on('click', () => options.onAction('open'));
  }

  update(state: TrayState, language: Language): void {
    const entries = trayMenu(state, language);
    const shown = JSON.stringify(entries);
    // Some trays close an open menu when it is set anew.
    if (!this.#tray || shown === this.#shown) return;
    this.#shown = shown;
    this.#tray.setToolTip(`LiteDesk: ${trayStatus(state, language)}`);
    this.#tray.setContextMenu(
      Menu.buildFromTemplate(
        entries.map((entry): MenuItemConstructorOptions => {
          if (entry === 'separator') return { type: 'separator' };
          const { label, action } = entry;
          return action === undefined ? { label, enabled: false } : { label, click: () => this.#options.onAction(action) };
        }),
      ),
    );
  }

  /** Says, once, that closing the window did not end the program. */
  sayItStays(language: Language): void {
    if (this.#saidStays || !Notification.isSupported()) return;
    this.#saidStays = true;
    const notification = new Notification({ title: 'LiteDesk', body: staysWords(language), silent: true });
    notification.on('click', () => this.#options.onAction('open'));
    notification.show();
  }

  close(): void {
    this.#tray?.destroy();
    this.#tray = null;
  }
}
