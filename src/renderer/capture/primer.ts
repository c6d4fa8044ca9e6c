/**
 * While somebody logs in, has the picture of the screen encoded already: the key frame is what takes longest of a first
 * picture. It stays in this window, and is used only if the screen still shows the same when the login is done.
 */
import type { Encoder } from './encoder.ts';
import type { ScreenListener, ScreenSource } from './screen-source.ts';

/** A screen that moves all the time is not worth encoding over and over for somebody who may never get in. */
const AGAIN_AFTER_MS = 500;

export class Primer implements ScreenListener {
  readonly #source: ScreenSource;
  readonly #encoder: Promise<Encoder | null>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(source: ScreenSource, encoder: Promise<Encoder | null>) {
    this.#source = source;
    this.#encoder = encoder;
    source.add(this);
    this.onPicture();
  }

  onPicture(): void {
    clearTimeout(this.#timer);
    const waitMs = this.#lastAt + AGAIN_AFTER_MS - performance.now();
    if (waitMs > 0) this.#timer = setTimeout(() => void this.#prime(), waitMs);
    else void this.#prime();
  }

  onEnd(): void {
    this.close();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#source.remove(this);
  }

  async #prime(): Promise<void> {
    if (!this.#source.picture) return;
    this.#lastAt = performance.now();
    const encoder = await this.#encoder;
    const { picture } = this.#source;
    if (picture && !this.#closed) encoder?.prime(picture, this.#source.mark);
  }
}
