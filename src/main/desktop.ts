/** The desktop of this machine for sessions: Electron's capture and clipboard, the platform's input. */
import { join } from 'node:path';
import { clipboard, desktopCapturer, screen } from 'electron';
import type { DesktopHost, Display, PlatformName, VideoCodec } from '../core/session/contract.ts';
import { CaptureStream } from './capture/capture-stream.ts';
import { CaptureWindow } from './capture/capture-window.ts';
import { type ClipboardSource, watchClipboard } from './clipboard-watch.ts';
import { createInjector } from './inject/create-injector.ts';
import { watchX11Clipboard } from './x11-clipboard.ts';

const PLATFORMS: Partial<Record<NodeJS.Platform, PlatformName>> = { win32: 'Windows', darwin: 'Mac OS' };
/** Where capturing shows no dialog and no sign on the screen, it may begin while a viewer still logs in. */
const PREPARES = process.platform === 'win32' || (process.platform === 'linux' && !process.env.WAYLAND_DISPLAY);

export interface OwnDesktop {
  readonly host: DesktopHost;
  close(): void;
}

export interface DesktopOptions {
  readonly preloadDir: string;
  readonly log: (line: string) => void;
}

/**
 * Monitors in the units of the wire (session §2.9): pixels of the video, and the origin in the units in which the
 * platform takes pointer positions. Those are pixels on X11 and Windows, points on macOS.
 */
function displaysOf(all: readonly Electron.Display[], platform: NodeJS.Platform): Display[] {
  return all.map(({ bounds, scaleFactor, label }, index) => {
    const origin = platform === 'darwin' ? 1 : scaleFactor;
    return {
      x: Math.round(bounds.x * origin),
      y: Math.round(bounds.y * origin),
      width: Math.round(bounds.width * scaleFactor),
      height: Math.round(bounds.height * scaleFactor),
      name: label || `Display ${index + 1}`,
      scale: platform === 'darwin' ? scaleFactor : 1,
    };
  });
}

export async function createDesktop(options: DesktopOptions): Promise<OwnDesktop> {
  const { preloadDir, log } = options;
  const window = new CaptureWindow({ preloadDir, rendererDir: join(preloadDir, '..', 'renderer'), log });
  const displays = (): Display[] => displaysOf(screen.getAllDisplays(), process.platform);
  // Loaded before anybody connects, so that the first picture comes at once; it captures only while somebody looks.
  const codecs: VideoCodec[] = ['vp9'];
  void window.open().then(
    (usable) => {
      codecs.splice(0, codecs.length, ...usable);
      const [first] = displays();
      if (first) window.keepReady(first);
    },
    (error: unknown) => log(`the capture window could not be opened: ${String(error)}`),
  );
  const injector = await createInjector(log);
  const prepareVideo = (): (() => void) => {
    const [first] = displays();
    return first ? window.prepare(first) : () => {};
  };
  const host: DesktopHost = {
    platform: PLATFORMS[process.platform] ?? 'Linux',
    injector: {
      inject: (event) => {
        injector.inject(event);
        window.expectChange();
      },
      releaseAll: () => injector.releaseAll(),
    },
    codecs,
    displays,
    startVideo: (request, sink) => new CaptureStream(window, request, sink, () => displays()[request.display]),
    ...(PREPARES ? { prepareVideo } : {}),
    screenshot: async (display) => {
      const geometry = displays()[display];
      if (!geometry) throw new Error(`there is no display ${display}`);
      const sources = await desktopCapturer.getSources({ types: ['screen'], thumbnailSize: geometry });
      const id = String(screen.getAllDisplays()[display]?.id);
      const source = sources.find((one) => one.display_id === id) ?? sources[display];
      if (!source) throw new Error(`display ${display} cannot be captured`);
      return source.thumbnail.toPNG();
    },
    setClipboardText: (text) => void clipboard.writeText(text),
    watchClipboard: (onText) => watchClipboard(ownClipboard, onText),
  };
  return {
    host,
    close: () => {
      injector.releaseAll();
      injector.close();
      window.close();
    },
  };
}

/** X servers alone report what is copied, and with Wayland the clipboard is not theirs. */
const ownClipboard: ClipboardSource = {
  readText: () => clipboard.readText(),
  reports: async (onChange, onEnd) => {
    const { DISPLAY, WAYLAND_DISPLAY } = process.env;
    if (process.platform !== 'linux' || !DISPLAY || WAYLAND_DISPLAY) throw new Error('nothing reports what is copied');
    return await watchX11Clipboard(DISPLAY, onChange, onEnd);
  },
};
