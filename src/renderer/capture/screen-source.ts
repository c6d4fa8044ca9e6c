/** One monitor's pictures as they change, shared by all streams of that monitor. */
import { PictureChanges } from './picture-changes.ts';

/** Newer than the type library: a track as a stream of pictures. */
declare class MediaStreamTrackProcessor {
  constructor(init: { track: MediaStreamTrack; maxBufferSize?: number });
  readonly readable: ReadableStream<VideoFrame>;
}

export interface ScreenListener {
  onPicture(): void;
  onEnd(message: string): void;
}

/**
 * Captures a second, whatever a viewer wants: a change seen earlier is a change shown earlier, and one that finds nothing new
 * costs some two milliseconds. Another rate would mean a new start of the capture, just when something happens.
 */
const CAPTURE_FPS = 90;
/** Pictures are looked at for so long after a report: until the next one could come. */
const LOOK_MS = 40;
/** A picture that comes so soon after a new one would wait until that is encoded, and be old by then. */
const PAUSE_MS = 12;
/** A capture that shows nothing new for so long is ended until something changes; it needs some 30 ms to begin again. */
const REST_AFTER_MS = 3_000;

export class ScreenSource {
  readonly #id = crypto.randomUUID();
  readonly #grant: () => Promise<void>;
  /**
   * Pictures that come before this time are looked at, and those after it until one shows nothing new, ms of
   * `performance.now()`; null: all are taken as they come.
   */
  #lookUntil: number | null = null;
  readonly #changes = new PictureChanges();
  #newAt = Number.NEGATIVE_INFINITY;
  #opening = false;
  #restTimer: ReturnType<typeof setTimeout> | undefined;

  readonly #listeners = new Set<ScreenListener>();
  #track: MediaStreamTrack | null = null;
  #reader: ReadableStreamDefaultReader<VideoFrame> | null = null;
  #last: VideoFrame | null = null;
  #count = 0;
  #closed = false;

  /** `grant` asks the main process to answer the next display request with this monitor. */
  constructor(grant: () => Promise<void>) {
    this.#grant = grant;
  }

  /** The screen changed, or may at once: the next pictures are looked at, and captured again if that rests. */
  changed(): void {
    this.#lookUntil = performance.now() + LOOK_MS;
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => this.#rest(), REST_AFTER_MS);
    if (this.#track || this.#opening || this.#closed || this.#count === 0) return;
    this.open().catch((error: unknown) => this.#end(String(error)));
  }

  /** Nobody reports changes any more: every picture counts. */
  ungate(): void {
    this.changed();
    this.#lookUntil = null;
    clearTimeout(this.#restTimer);
  }

  /** Opens the capture. */
  async open(): Promise<void> {
    this.#opening = true;
    try {
      await this.#grant();
      await this.#open();
    } finally {
      this.#opening = false;
    }
  }

  /** Stops capturing; the last picture stays, and with it every stream. */
  #rest(): void {
    if (this.#closed || this.#opening || this.#lookUntil === null) return;
    const reader = this.#reader;
    this.#reader = null;
    void reader?.cancel().catch(() => {});
    this.#track?.stop();
    this.#track = null;
  }

  async #open(): Promise<void> {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      audio: false,
      video: { frameRate: { ideal: CAPTURE_FPS, max: CAPTURE_FPS } },
    });
    const [track] = stream.getVideoTracks();
    if (!track) throw new Error('no picture came');
    if (this.#closed) {
      track.stop();
      return;
    }
    this.#track = track;
    track.onended = () => this.#end('the monitor went away');
    // Two: one being encoded, one newer. The reader below always moves on to the newest.
    this.#reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 2 }).readable.getReader();
    void this.#read(this.#reader);
  }

  /** Number of the newest picture, counted from 1; 0 while there is none. */
  get count(): number {
    return this.#count;
  }

  /** The newest picture; it stays the property of the source. */
  get picture(): VideoFrame | null {
    return this.#last;
  }

  /** Stands for the newest picture; the same as long as that is. */
  get mark(): string {
    return `${this.#id} ${this.#count}`;
  }

  /** Whether the newest picture is what the screen shows now, as far as anybody can know. */
  get isCurrent(): boolean {
    return this.#lookUntil !== null && this.#count > 0;
  }

  add(listener: ScreenListener): void {
    this.#listeners.add(listener);
  }

  remove(listener: ScreenListener): void {
    this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#restTimer);
    this.#listeners.clear();
    void this.#reader?.cancel().catch(() => {});
    this.#track?.stop();
    this.#track = null;
    this.#last?.close();
    this.#last = null;
  }

  async #read(reader: ReadableStreamDefaultReader<VideoFrame>): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const isNew = reader === this.#reader && (await this.#isNew(value));
        const stopped = this.#closed || reader !== this.#reader;
        if (!isNew || stopped) {
          value.close();
          if (stopped) return;
          continue;
        }
        this.#last?.close();
        this.#last = value;
        this.#count++;
        for (const listener of [...this.#listeners]) listener.onPicture();
      }
      if (reader === this.#reader) this.#end('the capture ended');
    } catch (error) {
      if (reader === this.#reader) this.#end(String(error));
    }
  }

  async #isNew(picture: VideoFrame): Promise<boolean> {
    if (this.#lookUntil === null) return true;
    const now = performance.now();
    if (this.#lookUntil === Number.NEGATIVE_INFINITY || now < this.#newAt + PAUSE_MS) return false;
    const isNew = await this.#changes.isNew(picture);
    if (isNew) this.#newAt = now;
    else if (now >= this.#lookUntil) this.#lookUntil = Number.NEGATIVE_INFINITY;
    return isNew;
  }

  #end(message: string): void {
    if (this.#closed) return;
    const listeners = [...this.#listeners];
    this.close();
    for (const listener of listeners) listener.onEnd(message);
  }
}
