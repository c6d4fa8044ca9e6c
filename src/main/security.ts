/** What no page of this app may ever do; installed before the first window. */
import { app } from 'electron';
import type { Session } from 'electron';
import { PAGE_ORIGIN } from './pages.ts';

/** Denies navigation, new windows, webviews and every permission. The capture window's display request has its own handler. */
export function lockDown(): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.setWindowOpenHandler(() => ({ action: 'deny' }));
    contents.on('will-navigate', (event) => event.preventDefault());
    contents.on('will-redirect', (event) => event.preventDefault());
    contents.on('will-frame-navigate', (event) => event.preventDefault());
    contents.on('will-attach-webview', (event) => event.preventDefault());
  });
}

/**
 * `allowed` are the exceptions: the session window asks for the keyboard in full screen, the capture window for
 * display capture. Each only from our own pages.
 */
export function denyPermissions(session: Session, allowed: readonly string[] = []): void {
  const fits = (permission: string, origin: string): boolean =>
    allowed.includes(permission) && origin.replace(/\/$/, '') === PAGE_ORIGIN;
  session.setPermissionRequestHandler((_contents, permission, answer, details) => {
    let origin = '';
    try {
      const url = new URL(details.requestingUrl);
      origin = `${url.protocol}//${url.host}`;
    } catch {
      // An address that does not parse is nobody we know.
    }
    answer(fits(permission, origin));
  });
  session.setPermissionCheckHandler((_contents, permission, origin) => fits(permission, origin));
  session.setDevicePermissionHandler(() => false);
  // Nothing of ours is fetched from a network; a page that tries is broken or hostile.
  session.webRequest.onBeforeRequest((details, answer) => {
    const own = /^(litedesk-app|devtools|data|blob):/.test(details.url);
    answer({ cancel: !own });
  });
}
