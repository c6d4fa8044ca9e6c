/** Connections to the programs behind one service that wait for their next HTTP request (RFC 9112 §9.3). */
import type { Clock } from '../../core/clock.ts';
import type { StreamDuplex } from '../../net/stream-duplex.ts';
import type { ServerLimits } from '../limits.ts';

interface Kept {
  /** Bytes that had come when it was put here: there is nothing to say before the next request. */
  readonly bytesIn: number;
  readonly forget: () => void;
}

export class KeptStreams {
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  /** The one that has waited longest first. */
  readonly #kept = new Map<StreamDuplex, Kept>();
  #closed = false;

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#kept.size;
  }

  /** Keeps a stream whose exchange is over in every respect, for `keepMs` at most; else destroys it. */
  put(stream: StreamDuplex, keepMs: number): void {
    if (this.#closed || !isIdle(stream) || this.#limits.maxPublishedKept === 0) return void stream.destroy();
    const drop = (): void => {
      this.#kept.get(stream)?.forget();
      stream.destroy();
    };
    const cancel = this.#clock.setTimer(Math.min(keepMs, this.#limits.publishedKeepMs), drop);
    const forget = (): void => {
      cancel();
      this.#kept.delete(stream);
      stream.off('data', drop).off('end', drop).off('close', drop);
    };
    this.#kept.set(stream, { bytesIn: stream.stream.bytesIn, forget });
    // An answer that nobody asked for, or the end: neither is for the next request.
    stream.on('data', drop).on('end', drop).on('close', drop);
    stream.resume();
    if (this.#kept.size > this.#limits.maxPublishedKept) this.#oldest()?.destroy();
  }

  /** The one that has waited longest, paused. */
  take(): StreamDuplex | null {
    for (const [stream, { bytesIn, forget }] of [...this.#kept]) {
      forget();
      stream.pause();
      if (isIdle(stream) && stream.stream.bytesIn === bytesIn) return stream;
      stream.destroy();
    }
    return null;
  }

  /** Ends those that lead to one of these programs. */
  drop(programs: ReadonlySet<string>): void {
    for (const stream of [...this.#kept.keys()]) if (programs.has(stream.stream.openedAddress ?? '')) stream.destroy();
  }

  close(): void {
    this.#closed = true;
    for (const stream of [...this.#kept.keys()]) stream.destroy();
  }

  #oldest(): StreamDuplex | undefined {
    return this.#kept.keys().next().value;
  }
}

function isIdle(stream: StreamDuplex): boolean {
  return !stream.destroyed && !stream.readableEnded && !stream.writableEnded && stream.readableLength === 0 && stream.writableLength === 0;
}
