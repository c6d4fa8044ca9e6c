import { StreamDuplex } from '../../../net/stream-duplex.ts';

/** A stream with the methods that Node's HTTP client calls on sockets; of these only the timeout of a kept one means something. */
export class StreamSocket extends StreamDuplex {
  #timer: NodeJS.Timeout | undefined;

  /**
   * Tells with `timeout` when so much time has passed since this call; 0 calls it off, and takes `onTimeout` away, which is how
   * the client leaves a connection that it keeps.
   */
  setTimeout(ms: number, onTimeout?: () => void): this {
    clearTimeout(this.#timer);
    if (ms > 0) {
      if (onTimeout) this.once('timeout', onTimeout);
      if (!this.destroyed) this.#timer = setTimeout(() => this.emit('timeout'), ms).unref();
    } else if (onTimeout) this.off('timeout', onTimeout);
    return this;
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#timer);
    super._destroy(error, done);
  }

  setKeepAlive(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}
