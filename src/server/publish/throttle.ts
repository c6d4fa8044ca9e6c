/** Holds a stream to one or more limits of bandwidth. */
import { Transform, type TransformCallback } from 'node:stream';
import type { Clock } from '../../core/clock.ts';
import type { Bandwidth } from '../bandwidth.ts';

export class Throttle extends Transform {
  readonly #bandwidths: readonly Bandwidth[];
  readonly #clock: Clock;
  #cancel: (() => void) | undefined;

  constructor(bandwidths: readonly Bandwidth[], clock: Clock) {
    super();
    this.#bandwidths = bandwidths;
    this.#clock = clock;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const pauseMs = Math.max(0, ...this.#bandwidths.map((bandwidth) => bandwidth.take(chunk.length)));
    if (pauseMs === 0) done(null, chunk);
    else this.#cancel = this.#clock.setTimer(pauseMs, () => done(null, chunk));
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#cancel?.();
    done(error);
  }
}
