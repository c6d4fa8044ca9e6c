/** One monitor's pictures as they change, shared by all streams of that monitor. */

/** Newer than the type library: a track as a stream of pictures. */
declare class MediaStreamTrackProcessor {
  constructor(init: { track: MediaStreamTrack; maxBufferSize?: number });
  readonly readable: ReadableStream<VideoFrame>;
}

export interface ScreenListener {
  onPicture(): void;
  onEnd(message: string): void;
}

/** Pictures that count as changed after a report: two may have been on their way already, the third shows the change. */
const PICTURES_PER_CHANGE = 3;
/** A picture that comes this soon after the first report of a change was captured before it. */
const CAPTURE_MS = 6;
/** A capture that shows nothing new for so long is ended until something changes; it needs some 50 ms to begin again. */
const REST_AFTER_MS = 3_000;

export class ScreenSource {
  readonly #grant: () => Promise<void>;
  readonly #maxFps: number;
  /** Pictures that still count as changed; null: all do. */
  #due: number | null = null;
  /** Pictures before this time show what was before the change, ms of `performance.now()`. */
  #staleUntil = 0;
  #restTimer: ReturnType<typeof setTimeout> | undefined;
  #opening = false;

  readonly #listeners = new Set<ScreenListener>();
  #stream: MediaStream | null = null;
  #reader: ReadableStreamDefaultReader<VideoFrame> | null = null;
  #last: VideoFrame | null = null;
  #count = 0;
  #closed = false;

  /** `grant` asks the main process to answer the next display request with this monitor. */
  constructor(grant: () => Promise<void>, maxFps: number) {
    this.#grant = grant;
    this.#maxFps = maxFps;
  }

  /** The screen changed. From the first of these on, only what is captured soon after one counts as a change. */
  changed(): void {
    if (this.#due === 0) this.#staleUntil = performance.now() + CAPTURE_MS;
    this.#due = PICTURES_PER_CHANGE;
    this.wake();
  }

  /** The screen may change soon: capture, if that rests. */
  wake(): void {
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => this.#rest(), REST_AFTER_MS);
    if (this.#stream || this.#opening || this.#closed || this.#count === 0) return;
    this.open().catch((error: unknown) => this.#end(String(error)));
  }

  /** Nobody reports changes any more: every picture counts. */
  ungate(): void {
    this.changed();
    this.#due = null;
    clearTimeout(this.#restTimer);
  }

  /** Opens the capture. */
  async open(): Promise<void> {
    this.#opening = true;
    try {
      await this.#grant();
      await this.#open(this.#maxFps);
    } finally {
      this.#opening = false;
    }
  }

  /** Stops capturing; the last picture stays, and with it every stream. */
  #rest(): void {
    if (this.#closed || this.#opening || this.#due === null) return;
    const reader = this.#reader;
    this.#reader = null;
    void reader?.cancel().catch(() => {});
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }

  async #open(maxFps: number): Promise<void> {
    const stream = await navigator.mediaDevices.getDisplayMedia({
      audio: false,
      video: { frameRate: { ideal: maxFps, max: maxFps } },
    });
    const [track] = stream.getVideoTracks();
    if (!track || this.#closed) {
      for (const each of stream.getTracks()) each.stop();
      if (!track) throw new Error('no picture came');
      return;
    }
    this.#stream = stream;
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

  get used(): boolean {
    return this.#listeners.size > 0;
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
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#last?.close();
    this.#last = null;
  }

  async #read(reader: ReadableStreamDefaultReader<VideoFrame>): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        if (this.#closed || reader !== this.#reader) {
          value.close();
          return;
        }
        if (this.#due === 0 || performance.now() < this.#staleUntil) {
          value.close();
          continue;
        }
        if (this.#due !== null) this.#due--;
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

  #end(message: string): void {
    if (this.#closed) return;
    const listeners = [...this.#listeners];
    this.close();
    for (const listener of listeners) listener.onEnd(message);
  }
}
