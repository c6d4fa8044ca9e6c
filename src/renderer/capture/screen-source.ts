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
 * Captures a second. A capture costs some two milliseconds of a core, whatever it shows.
 * - `unreported`: nobody says when the screen changes.
 * - `alert`: it may change at any time, and a change seen earlier is a change shown earlier.
 * - `motion`: it changes all the time; twice as often as it is sent is enough to send it evenly.
 * - `rest`: nothing has changed for a while. Stopping would save no more, and starting again takes longer.
 */
const RATES_FPS = { unreported: 60, alert: 120, motion: 60, rest: 1 } as const;
/** Pictures are looked at for so long after a report: until the next one could come. */
const LOOK_MS = 40;
/** A picture that comes so soon after a new one would wait until that is encoded, and be old by then. */
const PAUSE_MS = 12;
/** New pictures one after the other for so long are motion; without one for the second time it is over. */
const MOTION_AFTER_MS = 700;
const STILL_MS = 400;
/** A screen that shows nothing new for so long rests. */
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
  #rate: keyof typeof RATES_FPS = 'unreported';
  #newAt = Number.NEGATIVE_INFINITY;
  /** Since when every picture was new. */
  #movingSince: number | null = null;
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

  /** The screen changed, or may at once: the next pictures are looked at. */
  changed(): void {
    const now = performance.now();
    this.#lookUntil = now + LOOK_MS;
    clearTimeout(this.#restTimer);
    this.#restTimer = setTimeout(() => this.#capture('rest'), REST_AFTER_MS);
    if (this.#rate !== 'motion' || now > this.#newAt + STILL_MS) this.#capture('alert');
  }

  /** Nobody reports changes any more: every picture counts. */
  ungate(): void {
    this.#lookUntil = null;
    clearTimeout(this.#restTimer);
    this.#capture('unreported');
  }

  /** Opens the capture. */
  async open(): Promise<void> {
    await this.#grant();
    const stream = await navigator.mediaDevices.getDisplayMedia({ audio: false, video: { frameRate: frameRate(this.#rate) } });
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

  #capture(rate: keyof typeof RATES_FPS): void {
    if (rate === this.#rate) return;
    this.#rate = rate;
    // A track that is just ending does not take it, and needs it no more.
    this.#track?.applyConstraints({ frameRate: frameRate(rate) }).catch(() => {});
  }

  async #read(reader: ReadableStreamDefaultReader<VideoFrame>): Promise<void> {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const isNew = !this.#closed && (await this.#isNew(value));
        if (!isNew || this.#closed) {
          value.close();
          if (this.#closed) return;
          continue;
        }
        this.#last?.close();
        this.#last = value;
        this.#count++;
        for (const listener of [...this.#listeners]) listener.onPicture();
      }
      this.#end('the capture ended');
    } catch (error) {
      this.#end(String(error));
    }
  }

  async #isNew(picture: VideoFrame): Promise<boolean> {
    if (this.#lookUntil === null) return true;
    const now = performance.now();
    if (now < this.#newAt + PAUSE_MS) return false;
    // At rest each is looked at: a report that was lost is made up for.
    if (this.#lookUntil === Number.NEGATIVE_INFINITY && this.#rate !== 'rest') return false;
    const isNew = await this.#changes.isNew(picture);
    if (isNew) this.#sawNew(now);
    else this.#sawNothing(now);
    return isNew;
  }

  #sawNew(now: number): void {
    if (this.#movingSince === null || now > this.#newAt + STILL_MS) this.#movingSince = now;
    this.#newAt = now;
    if (this.#rate === 'rest') this.changed();
    else if (now - this.#movingSince >= MOTION_AFTER_MS) this.#capture('motion');
  }

  #sawNothing(now: number): void {
    if (this.#rate !== 'motion') this.#movingSince = null;
    if (this.#lookUntil !== null && now >= this.#lookUntil) this.#lookUntil = Number.NEGATIVE_INFINITY;
  }

  #end(message: string): void {
    if (this.#closed) return;
    const listeners = [...this.#listeners];
    this.close();
    for (const listener of listeners) listener.onEnd(message);
  }
}

function frameRate(rate: keyof typeof RATES_FPS): ConstrainDouble {
  return { ideal: RATES_FPS[rate], max: RATES_FPS[rate] };
}
