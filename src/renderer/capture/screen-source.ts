/** One monitor's pictures as they change, shared by all streams of that monitor. */
import { type PageClock, pageClock } from './page-clock.ts';
import { PictureChanges } from './picture-changes.ts';
import type { ScreenCapture } from './screen-capture.ts';

export interface ScreenListener {
  onPicture(): void;
  onEnd(message: string): void;
}

/** Pictures are looked at for so long after a report: until the next one could come. */
const LOOK_MS = 40;
/** A picture that comes so soon after a new one would wait until that is encoded, and be old by then. */
const PAUSE_MS = 12;
/** A capture that shows nothing new for so long is ended until something changes; it needs some 30 ms to begin again. */
const REST_AFTER_MS = 3_000;

export class ScreenSource {
  readonly #id = crypto.randomUUID();
  readonly #capture: () => Promise<ScreenCapture>;
  readonly #clock: PageClock;
  /**
   * Pictures that come before this time are looked at, and those after it until one shows nothing new, in ms of
   * the clock; null: all are taken as they come.
   */
  #lookUntil: number | null = null;
  readonly #changes = new PictureChanges();
  #newAt = Number.NEGATIVE_INFINITY;
  #opening = false;
  #cancelRest: () => void = () => {};

  readonly #listeners = new Set<ScreenListener>();
  #running: ScreenCapture | null = null;
  #last: VideoFrame | null = null;
  #count = 0;
  #closed = false;

  /** `capture` begins to capture this monitor, at first and after each rest. */
  constructor(capture: () => Promise<ScreenCapture>, clock: PageClock = pageClock) {
    this.#capture = capture;
    this.#clock = clock;
  }

  /** The screen changed, or may at once: the next pictures are looked at, and captured again if that rests. */
  changed(): void {
    this.#lookUntil = this.#clock.now() + LOOK_MS;
    this.#cancelRest();
    this.#cancelRest = this.#clock.setTimer(REST_AFTER_MS, () => this.#rest());
    if (this.#running || this.#opening || this.#closed || this.#count === 0) return;
    this.open().catch((error: unknown) => this.#end(String(error)));
  }

  /** Nobody reports changes any more: every picture counts. */
  ungate(): void {
    this.changed();
    this.#lookUntil = null;
    this.#cancelRest();
  }

  /** Opens the capture. @throws when this monitor cannot be captured */
  async open(): Promise<void> {
    this.#opening = true;
    try {
      const running = await this.#capture();
      if (this.#closed) return running.stop();
      this.#running = running;
      void this.#read(running);
    } finally {
      this.#opening = false;
    }
  }

  /** Stops capturing; the last picture stays, and with it every stream. */
  #rest(): void {
    if (this.#closed || this.#opening || this.#lookUntil === null) return;
    this.#running?.stop();
    this.#running = null;
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
    this.#cancelRest();
    this.#listeners.clear();
    this.#running?.stop();
    this.#running = null;
    this.#last?.close();
    this.#last = null;
  }

  async #read(running: ScreenCapture): Promise<void> {
    try {
      for (;;) {
        const picture = await running.read();
        if (!picture) break;
        const isNew = running === this.#running && (await this.#isNew(picture));
        const stopped = running !== this.#running;
        if (!isNew || stopped) {
          picture.close();
          if (stopped) return;
          continue;
        }
        this.#last?.close();
        this.#last = picture;
        this.#count++;
        for (const listener of [...this.#listeners]) listener.onPicture();
      }
      if (running === this.#running) this.#end('the monitor went away');
    } catch (error) {
      if (running === this.#running) this.#end(String(error));
    }
  }

  async #isNew(picture: VideoFrame): Promise<boolean> {
    if (this.#lookUntil === null) return true;
    const now = this.#clock.now();
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
