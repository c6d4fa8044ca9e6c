import type { LinkClose, LinkHandlers } from '../core/link.ts';

export interface FrameSource {
  /** The next complete frame, or null. `borrows`: it is not touched after the next call. May throw: the link then breaks. */
  next(borrows: boolean): Uint8Array | null;
  /** True while something is held that next() may still give. */
  hasMore(): boolean;
  /** Start or stop reading from the socket. Called on changes only. */
  flow(on: boolean): void;
  /** next() or a handler threw. The link destroys itself. */
  fail(error: unknown): void;
}

/**
 * The receiving half that every link of this machine shares: holds frames back until somebody takes them, keeps the
 * order, stops at once on pause, and reports the end exactly once, behind the frames that came before it.
 */
export class Receiver {
  readonly #source: FrameSource;
  #handlers: LinkHandlers | undefined;
  #paused = false;
  #flowing = false;
  #pumping = false;
  #end: LinkClose | undefined;
  /** `cut`: what is still held is dropped. */
  #cut = false;
  #over = false;

  constructor(source: FrameSource) {
    this.#source = source;
  }

  /** An end was reported to this receiver; it may still wait for its frames to be taken. */
  get ended(): boolean {
    return this.#end !== undefined || this.#over;
  }

  setHandlers(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.pump();
  }

  pause(): void {
    this.#paused = true;
    this.#setFlow();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.pump();
  }

  drained(): void {
    if (!this.#over) this.#guard(() => this.#handlers?.onDrain?.());
  }

  /** Delivers what can be delivered. Call it whenever the source got something. */
  pump(): void {
    if (this.#pumping || this.#over) return;
    this.#pumping = true;
    try {
      while (this.#handlers && !this.#paused && !this.#cut && !this.#over) {
        const frame = this.#source.next(this.#handlers.borrows ?? false);
        if (!frame) break;
        this.#handlers.onFrame(frame);
      }
    } catch (error) {
      this.#source.fail(error);
    } finally {
      this.#pumping = false;
    }
    this.#setFlow();
    this.#finish();
  }

  /** The stream ended. With `cut` at once, without the frames that are still held; the first end counts. */
  end(close: LinkClose, cut: boolean): void {
    if (this.#over) return;
    // An end that waits behind held frames gives way to one that does not wait.
    if (!this.#end || (cut && !this.#cut)) this.#end = close;
    this.#cut ||= cut;
    this.#setFlow();
    // Never from within the caller's own close() or destroy().
    queueMicrotask(() => this.pump());
  }

  /** Switches off for good: no handler is called any more (the link became a raw stream). */
  detach(): void {
    this.#over = true;
    this.#handlers = undefined;
  }

  #setFlow(): void {
    // The socket may belong to somebody else by now, who reads it as he likes.
    if (this.#over) return;
    const on = this.#handlers !== undefined && !this.#paused;
    if (on === this.#flowing) return;
    this.#flowing = on;
    this.#source.flow(on);
  }

  #finish(): void {
    if (!this.#end || !this.#handlers || this.#over || this.#pumping) return;
    // While paused, frames that are still held keep the end back.
    if (!this.#cut && this.#paused && this.#source.hasMore()) return;
    const end = this.#end;
    const handlers = this.#handlers;
    this.#over = true;
    this.#handlers = undefined;
    handlers.onClose(end);
  }

  #guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#source.fail(error);
    }
  }
}
