/**
 * Between the session and the page that shows it: a window that is slow (hidden, busy, on a small machine) must lose
 * pictures, not get later and later. What is on its way is bounded; beyond it, deltas are dropped up to the next key
 * frame, which is asked for.
 */

/** Messages on their way to the page and not yet taken: a third of a second at 30 fps. */
export const MAX_IN_FLIGHT = 10;
/** Bytes of them: two large key frames. */
const MAX_IN_FLIGHT_BYTES = 4 * 1024 * 1024;

export interface VideoItem {
  readonly display: number;
  readonly key: boolean;
  readonly data: { readonly byteLength: number };
}

export interface VideoQueueOptions<T extends VideoItem> {
  send(item: T): void;
  /** A key frame of this display is needed to go on. Called once for each gap. */
  requestKeyFrame(display: number): void;
}

export class VideoQueue<T extends VideoItem> {
  readonly #options: VideoQueueOptions<T>;
  /** Sizes of what is on its way, oldest first. */
  readonly #inFlight: number[] = [];
  /** Displays whose deltas are useless until a key frame; the value says whether one was asked for. */
  readonly #gaps = new Map<number, boolean>();
  #bytes = 0;
  #dropped = 0;

  constructor(options: VideoQueueOptions<T>) {
    this.#options = options;
  }

  get dropped(): number {
    return this.#dropped;
  }

  push(item: T): void {
    const full = this.#inFlight.length >= MAX_IN_FLIGHT || this.#bytes >= MAX_IN_FLIGHT_BYTES;
    if (full || (this.#gaps.has(item.display) && !item.key)) {
      this.#dropped++;
      // Asking while the window is full would only bring a key frame that is dropped as well.
      if (!this.#gaps.has(item.display) || full) this.#gaps.set(item.display, false);
      return;
    }
    this.#gaps.delete(item.display);
    this.note(item.data.byteLength);
    this.#options.send(item);
  }

  /** Something that is not video went the same way; it is acknowledged like the rest. */
  note(bytes: number): void {
    this.#inFlight.push(bytes);
    this.#bytes += bytes;
  }

  /** A new port: nothing is on its way any more. */
  reset(): void {
    this.#inFlight.length = 0;
    this.#bytes = 0;
    this.#gaps.clear();
  }

  /** The page has taken `count` messages. */
  taken(count: number): void {
    for (const bytes of this.#inFlight.splice(0, count)) this.#bytes -= bytes;
    if (this.#inFlight.length > MAX_IN_FLIGHT / 2) return;
    for (const [display, asked] of this.#gaps)
      if (!asked) {
        this.#gaps.set(display, true);
        this.#options.requestKeyFrame(display);
      }
  }
}
