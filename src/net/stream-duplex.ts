import { Duplex } from 'node:stream';
import { type MuxStream, StreamResetError } from '../core/mux/index.ts';

/**
 * A virtual stream as a Duplex, so that it and a socket join with `pipeline`. Half-open ends are kept. A reset is an error
 * of the Duplex (StreamResetError); destroying it resets the stream, with the code of that error where it has one.
 */
export class StreamDuplex extends Duplex {
  readonly stream: MuxStream;
  /** The memory of whatever is written is nobody else's: `MuxStream.write`. */
  ownsWritten = false;
  #wantsMore = false;
  #filling = false;
  #onDrained: (() => void) | null = null;

  constructor(stream: MuxStream) {
    super({ allowHalfOpen: true });
    this.stream = stream;
    stream.setHandlers({
      onReadable: () => this.#fill(),
      onDrain: () => this.#drained(),
      onOpened: (address) => this.emit('opened', address),
      onClose: (error) => {
        if (error) this.destroy(error);
        else this.#fill();
      },
    });
  }

  override _read(): void {
    this.#wantsMore = true;
    this.#fill();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.stream.write(chunk, { owned: this.ownsWritten })) done();
    else if (this.stream.closed) done();
    else this.#onDrained = done;
  }

  override _final(done: () => void): void {
    this.stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    if (error instanceof StreamResetError) this.stream.reset(error.code, error.message);
    // Finished both ways: what was written last may still be on its way out, whatever becomes of us.
    else if (!this.writableFinished || !this.readableEnded) this.stream.reset('cancelled', error?.message ?? '');
    this.#drained();
    done(error);
  }

  /** Only what is asked for is taken out of the stream: the rest holds up its writer. */
  #fill(): void {
    // Reading the last chunk closes the stream, which calls back before that chunk is pushed.
    if (this.#filling) return;
    this.#filling = true;
    while (this.#wantsMore && !this.destroyed) {
      const chunk = this.stream.read();
      if (!chunk && !this.stream.ended) break;
      // Whoever takes the chunk may ask for more from within `push`.
      this.#wantsMore = false;
      if (this.push(chunk)) this.#wantsMore = true;
    }
    this.#filling = false;
  }

  #drained(): void {
    const done = this.#onDrained;
    this.#onDrained = null;
    done?.();
  }
}
