/** The hidden, sandboxed window that captures and encodes, seen from the main process. */
import { join } from 'node:path';
import { BrowserWindow, desktopCapturer, MessageChannelMain, screen, session } from 'electron';
import type { DesktopCapturerSource, MessagePortMain } from 'electron';
import { CAPTURE_PORT } from '../../shared/channels.ts';
import { captureMessageSchema } from '../../shared/capture-schemas.ts';
import type { CaptureCommand, CaptureMessage } from '../../shared/capture-schemas.ts';
import { PAGE_ORIGIN, servePages } from '../pages.ts';
import { denyPermissions } from '../security.ts';
import { X11Activity } from './x11-activity.ts';

export type CapturedFrame = Extract<CaptureMessage, { type: 'frame' }>;

export interface CaptureListener {
  onFrame(frame: CapturedFrame): void;
  onError(message: string): void;
}

export interface CaptureWindowOptions {
  readonly preloadDir: string;
  readonly rendererDir: string;
  readonly log: (line: string) => void;
}

/** Restarts of a crashed capture process until it is left alone: one that keeps crashing would only burn the machine. */
const MAX_RESTARTS = 5;
/** A connection that has not logged in after this long gets its first picture a little later. */
const PREPARED_MS = 10_000;

export class CaptureWindow {
  readonly #options: CaptureWindowOptions;
  readonly #listeners = new Map<number, CaptureListener>();
  readonly #session = session.fromPartition('litedesk-capture');
  /** Called when the page has said what this machine can encode. */
  #onCodecs: (codecs: Extract<CaptureMessage, { type: 'codecs' }>['codecs']) => void = () => {};
  #window: BrowserWindow | null = null;
  #port: MessagePortMain | null = null;
  readonly #preparing = new Set<object>();
  #nextStream = 1;
  #restarts = 0;
  /** Null where nobody can tell that the screen changed. */
  #activity: X11Activity | null = null;
  /** The monitor that the next display request gets. */
  #granted = 0;
  #closed = false;

  constructor(options: CaptureWindowOptions) {
    this.#options = options;
    servePages(this.#session, options.rendererDir);
    denyPermissions(this.#session, ['display-capture', 'media']);
    this.#session.setDisplayMediaRequestHandler((request, answer) => {
      if (request.frame !== this.#window?.webContents.mainFrame) return answer({});
      this.#sourceOf(this.#granted).then(
        (source) => answer(source ? { video: source } : {}),
        () => answer({}),
      );
    });
  }

  /** Loads the page; nothing is captured until a stream starts. Resolves with the codecs this machine can encode. */
  async open(): Promise<Extract<CaptureMessage, { type: 'codecs' }>['codecs']> {
    const codecs = new Promise<Extract<CaptureMessage, { type: 'codecs' }>['codecs']>((resolve) => {
      this.#onCodecs = resolve;
    });
    await Promise.all([this.#load(), this.#openActivity()]);
    return await codecs;
  }

  /** Starts a stream; its number is for the other calls. */
  start(listener: CaptureListener, request: Omit<Extract<CaptureCommand, { type: 'start' }>, 'type' | 'stream'>): number {
    const stream = this.#nextStream++;
    this.#listeners.set(stream, listener);
    this.command({ type: 'start', stream, ...request });
    this.#watch();
    return stream;
  }

  /** Captures the first monitor, with nobody to see it yet, until the returned function is called or time is up. */
  prepare(size: { readonly width: number; readonly height: number }): () => void {
    const handle = {};
    this.#preparing.add(handle);
    const release = (): void => {
      clearTimeout(timer);
      if (this.#preparing.delete(handle) && this.#preparing.size === 0) this.command({ type: 'unprepare' });
      this.#watch();
    };
    const timer = setTimeout(release, PREPARED_MS);
    if (this.#preparing.size === 1) this.command({ type: 'prepare', display: 0, width: size.width, height: size.height });
    this.#watch();
    return release;
  }

  /** Keeps an encoder for pictures of this size at hand: its set-up takes longer than everything else before a first picture. */
  keepReady({ width, height }: { readonly width: number; readonly height: number }): void {
    this.command({ type: 'keep-ready', width, height });
  }

  stop(stream: number): void {
    if (this.#listeners.delete(stream)) this.command({ type: 'stop', stream });
    this.#watch();
  }

  /** Input is being injected: captures that rest start again at once, and what it changes is seen before it is reported. */
  expectChange(): void {
    if (this.#activity && this.#listeners.size > 0) this.command({ type: 'changed' });
  }

  command(command: CaptureCommand): void {
    this.#port?.postMessage(command);
  }

  close(): void {
    this.#closed = true;
    this.#activity?.close();
    this.#port?.close();
    this.#window?.destroy();
  }

  async #openActivity(): Promise<void> {
    const display = process.env.DISPLAY;
    if (process.platform !== 'linux' || !display) return;
    try {
      this.#activity = await X11Activity.open(
        display,
        () => this.command({ type: 'changed' }),
        () => {
          this.#activity = null;
          this.command({ type: 'ungated' });
        },
      );
    } catch (error) {
      this.#options.log(`the capture cannot rest while nothing changes: ${String(error)}`);
    }
  }

  /** Looks for changes exactly while somebody looks at the screen, or is about to. */
  #watch(): void {
    if (this.#listeners.size === 0 && this.#preparing.size === 0) this.#activity?.stop();
    else if (this.#activity?.start()) this.command({ type: 'changed' });
  }

  async #load(): Promise<void> {
    const window = new BrowserWindow({
      show: false,
      width: 320,
      height: 200,
      webPreferences: {
        session: this.#session,
        preload: join(this.#options.preloadDir, 'capture.cjs'),
        sandbox: true,
        contextIsolation: true,
        nodeIntegration: false,
        backgroundThrottling: false,
      },
    });
    this.#window = window;
    window.webContents.on('render-process-gone', (_event, details) => {
      if (this.#closed) return;
      this.#options.log(`the capture process ended: ${details.reason}`);
      this.#failAll(`the capture process ended (${details.reason})`);
      window.destroy();
      if (++this.#restarts <= MAX_RESTARTS) void this.#load();
    });
    await window.loadURL(`${PAGE_ORIGIN}/capture/index.html`);
    const { port1, port2 } = new MessageChannelMain();
    this.#port = port1;
    port1.on('message', ({ data }) => {
      const parsed = captureMessageSchema.safeParse(data);
      if (parsed.success) this.#receive(parsed.data);
      else this.#options.log('the capture window sent something malformed');
    });
    port1.start();
    window.webContents.postMessage(CAPTURE_PORT, null, [port2]);
  }

  #receive(message: CaptureMessage): void {
    switch (message.type) {
      case 'codecs':
        this.#onCodecs(message.codecs);
        return;
      case 'request':
        this.#granted = message.display;
        this.command({ type: 'granted', display: message.display });
        return;
      case 'frame': {
        const listener = this.#listeners.get(message.stream);
        if (listener) listener.onFrame(message);
        return;
      }
      case 'error': {
        const listener = this.#listeners.get(message.stream);
        this.#listeners.delete(message.stream);
        this.#watch();
        listener?.onError(message.message);
      }
    }
  }

  #failAll(message: string): void {
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    for (const listener of listeners) listener.onError(message);
  }

  async #sourceOf(display: number): Promise<DesktopCapturerSource | null> {
    // No thumbnails: making them would capture every monitor once.
    const sources = await desktopCapturer.getSources({ types: ['screen'], thumbnailSize: { width: 0, height: 0 } });
    const id = screen.getAllDisplays()[display]?.id;
    // Some X servers name no monitor; then the order is all there is.
    return sources.find((source) => source.display_id === String(id)) ?? sources[display] ?? null;
  }
}
