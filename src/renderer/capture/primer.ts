/**
 * While somebody logs in, has the picture of the screen encoded already: the key frame is what takes longest of a first
 * picture. It stays in this window, and is used only if the screen still shows the same when the login is done.
 */
import type { Encoder } from './encoder.ts';
import { type PageClock, pageClock } from './page-clock.ts';
import type { ScreenListener, ScreenSource } from './screen-source.ts';

/** A screen that moves all the time is not worth encoding over and over for somebody who may never get in. */
const AGAIN_AFTER_MS = 500;

type PrimerSource = Pick<ScreenSource, 'add' | 'remove' | 'picture' | 'mark'>;

export class Primer implements ScreenListener {
  readonly #source: PrimerSource;
  readonly #encoder: Promise<Pick<Encoder, 'prime'> | null>;
  readonly #clock: PageClock;
  #cancelTimer: () => void = () => {};
  #lastAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(source: PrimerSource, encoder: Promise<Pick<Encoder, 'prime'> | null>, clock: PageClock = pageClock) {
    this.#source = source;
    this.#encoder = encoder;
    this.#clock = clock;
    source.add(this);
    this.onPicture();
  }

  onPicture(): void {
    this.#cancelTimer();
    const waitMs = this.#lastAt + AGAIN_AFTER_MS - this.#clock.now();
    if (waitMs > 0) this.#cancelTimer = this.#clock.setTimer(waitMs, () => void this.#prime());
    else void this.#prime();
  }

  onEnd(): void {
    this.close();
  }

  close(): void {
    this.#closed = true;
    this.#cancelTimer();
    this.#source.remove(this);
  }

  async #prime(): Promise<void> {
    if (!this.#source.picture) return;
    this.#lastAt = this.#clock.now();
    const encoder = await this.#encoder;
    const { picture } = this.#source;
    if (picture && !this.#closed) encoder?.prime(picture, this.#source.mark);
  }
}
