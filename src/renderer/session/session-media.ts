import type {
  LiteDeskApi,
  SessionDisplay,
  SessionPortCommand,
  SessionPortMessage,
} from '../../shared/ipc.ts';
import { type Codec, PROBE_CODECS } from './codec.ts';
import { CursorCache } from './cursors.ts';
import { DisplayDecoder } from './display-decoder.ts';
import type { Point } from './geometry.ts';

/** A host has fewer monitors; an index above is nonsense. */
const MAX_DISPLAYS = 16;
/** How often the host side learns what was really shown. */
const SHOWN_INTERVAL_MS = 1000;
/** Commands kept while the port is being opened: a burst of typing, not a session. */
const MAX_PENDING = 64;

/**
 * Desynchronized: what is drawn goes to the screen from the canvas itself, without a copy for every picture, which at 1080p and
 * 30 fps takes a quarter of a core off a machine without a graphics processor.
 */
const CANVAS: CanvasRenderingContext2DSettings = { alpha: false, desynchronized: true };

export interface MediaEvents {
  /** A picture was painted; its size in pixels. */
  onPicture(size: { width: number; height: number }): void;
  onGeometry(display: number, geometry: SessionDisplay): void;
  onCursor(css: string): void;
  onCursorPosition(at: Point): void;
  onUnsupported(codec: Codec): void;
}

/** Video in, input out: everything of a session window that is no React. Lives from the window's opening to its end. */
export class SessionMedia {
  readonly #decoders = new Map<number, DisplayDecoder>();
  readonly #cursors = new CursorCache();
  readonly #events: MediaEvents;
  readonly #api: LiteDeskApi;
  readonly #sessionId: string;
  #shownTimer: ReturnType<typeof setInterval> | undefined;
  #pending: SessionPortCommand[] = [];
  #send: ((command: SessionPortCommand) => void) | null = null;
  #canvas: HTMLCanvasElement | null = null;
  #context: CanvasRenderingContext2D | null = null;
  #frame: VideoFrame | null = null;
  /** The first pictures of a display may come before the news that it is the one to show. */
  #early: { display: number; frame: VideoFrame } | null = null;
  #paintAsked = 0;
  #display = 0;
  #painted = 0;
  #closed = false;

  constructor(api: LiteDeskApi, sessionId: string, events: MediaEvents) {
    this.#events = events;
    this.#api = api;
    this.#sessionId = sessionId;
  }

  /** Opens the port. Once only: what is closed stays closed. */
  start(): void {
    this.#shownTimer = setInterval(() => this.#reportShown(), SHOWN_INTERVAL_MS);
    void this.#open();
  }

  /** The canvas to paint on; null when it goes away. */
  attach(canvas: HTMLCanvasElement | null): void {
    this.#canvas = canvas;
    this.#context = canvas?.getContext('2d', CANVAS) ?? null;
    this.#askPaint();
  }

  /** Which display is on the screen. */
  show(display: number): void {
    if (display === this.#display) return;
    this.#display = display;
    for (const [index, decoder] of this.#decoders)
      if (index !== display) {
        decoder.close();
        this.#decoders.delete(index);
      }
    const early = this.#early;
    this.#early = null;
    if (early !== null && early.display !== display) early.frame.close();
    this.#takeFrame(early?.display === display ? early.frame : null);
  }

  send(command: SessionPortCommand): void {
    if (this.#closed) return;
    if (this.#send !== null) this.#send(command);
    else if (this.#pending.length < MAX_PENDING) this.#pending.push(command);
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#shownTimer);
    cancelAnimationFrame(this.#paintAsked);
    for (const decoder of this.#decoders.values()) decoder.close();
    this.#decoders.clear();
    this.#takeFrame(null);
    this.#early?.frame.close();
    this.#early = null;
    this.#canvas = null;
    this.#context = null;
  }

  async #open(): Promise<void> {
    const decodingKnown = probeDecoding();
    try {
      const send = await this.#api.openSessionPort(this.#sessionId, (message) => this.#receive(message));
      const decoding = await decodingKnown;
      if (this.#closed) return;
      this.#decoder(this.#display)?.prepare(decoding.h264 ? 'h264' : 'vp9');
      send(decoding);
      this.#send = send;
      for (const command of this.#pending) send(command);
    } catch {
      // The window's state tells of a session that is gone; there is nothing to show without a port.
    }
    this.#pending = [];
  }

  #receive(message: SessionPortMessage): void {
    if (this.#closed) return;
    switch (message.type) {
      case 'video':
        this.#decoder(message.display)?.push(message);
        return;
      case 'geometry':
        this.#decoders.get(message.display)?.reset();
        this.#events.onGeometry(message.display, message.geometry);
        return;
      case 'cursor': {
        const css = this.#cursors.add(message);
        if (css !== null) this.#events.onCursor(css);
        return;
      }
      case 'cursor-id': {
        const css = this.#cursors.get(message.id);
        if (css !== null) this.#events.onCursor(css);
        return;
      }
      case 'cursor-position':
        this.#events.onCursorPosition({ x: message.x, y: message.y });
    }
  }

  #decoder(display: number): DisplayDecoder | null {
    const known = this.#decoders.get(display);
    if (known !== undefined) return known;
    if (!Number.isInteger(display) || display < 0 || display >= MAX_DISPLAYS) return null;
    const decoder = new DisplayDecoder({
      onFrame: (frame) => {
        if (this.#closed) frame.close();
        else if (display === this.#display) this.#takeFrame(frame);
        else {
          this.#early?.frame.close();
          this.#early = { display, frame };
        }
      },
      // The last pictures of a display that was left are not worth a key frame.
      onRefresh: () => {
        if (display === this.#display) this.send({ type: 'refresh', display });
      },
      onUnsupported: (codec) => this.#events.onUnsupported(codec),
    });
    this.#decoders.set(display, decoder);
    return decoder;
  }

  /** Keeps only the newest picture: an older one that was not painted yet is not worth painting. */
  #takeFrame(frame: VideoFrame | null): void {
    this.#frame?.close();
    this.#frame = frame;
    if (frame !== null) this.#askPaint();
  }

  #askPaint(): void {
    if (this.#paintAsked !== 0 || this.#canvas === null || this.#frame === null) return;
    this.#paintAsked = requestAnimationFrame(() => {
      this.#paintAsked = 0;
      this.#paint();
    });
  }

  #paint(): void {
    const frame = this.#frame;
    const canvas = this.#canvas;
    if (frame === null || canvas === null || this.#context === null) return;
    this.#frame = null;
    const { displayWidth: width, displayHeight: height } = frame;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    this.#context.drawImage(frame, 0, 0);
    frame.close();
    this.#painted += 1;
    this.#events.onPicture({ width, height });
  }

  #reportShown(): void {
    if (this.#send === null || this.#closed) return;
    this.#send({ type: 'shown', display: this.#display, fps: this.#painted });
    this.#painted = 0;
  }
}

/** What this machine can decode; the host chooses among it (session §3.3). */
async function probeDecoding(): Promise<Extract<SessionPortCommand, { type: 'decoding' }>> {
  const can = async (codec: Codec): Promise<boolean> => {
    try {
      const { supported } = await VideoDecoder.isConfigSupported({
        codec: PROBE_CODECS[codec],
        optimizeForLatency: true,
      });
      return supported === true;
    } catch {
      return false;
    }
  };
  const [vp8, vp9, av1, h264] = await Promise.all([can('vp8'), can('vp9'), can('av1'), can('h264')]);
  return { type: 'decoding', vp8, vp9, av1, h264 };
}
