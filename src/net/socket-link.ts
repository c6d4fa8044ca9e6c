import { WireError } from '../core/errors.ts';
import type { LinkHandlers, LinkStats } from '../core/link.ts';
import { formatHostPort, plainAddress } from './endpoint.ts';
import { linkError, protocolError } from './errors.ts';
import { CLOSE_FLUSH_MS, DEFAULT_MARKS, MAX_BUFFERED_BYTES, type WaterMarks } from './net-link.ts';
import { Receiver } from './receiver.ts';

export interface SocketLinkOptions {
  marks?: WaterMarks;
  /** send() beyond this many waiting bytes breaks the link. */
  maxBuffered?: number;
  /** How long close() may flush, in milliseconds. */
  closeFlushMs?: number;
}

/** What the links on a socket of this machine share: their bounds, their counters, the receiving half and the ways to end. */
export abstract class SocketLink {
  abstract readonly remoteAddress: string;
  readonly stats: LinkStats = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 };
  protected readonly marks: WaterMarks;
  protected readonly maxBuffered: number;
  protected readonly closeFlushMs: number;
  protected readonly receiver: Receiver;
  /** We ended the link, in order or at once, or it broke: nothing is sent or delivered any more. */
  protected closing = false;
  /** The connection was given away as a stream of bytes. */
  protected raw = false;
  /** `send` answered false, and onDrain has not been called since. */
  protected needDrain = false;

  constructor({ marks = DEFAULT_MARKS, maxBuffered = MAX_BUFFERED_BYTES, closeFlushMs = CLOSE_FLUSH_MS }: SocketLinkOptions) {
    this.marks = marks;
    this.maxBuffered = maxBuffered;
    this.closeFlushMs = closeFlushMs;
    this.receiver = new Receiver({
      next: (borrows) => this.nextFrame(borrows),
      hasMore: () => this.hasMore(),
      flow: (on) => this.flow(on),
      fail: (error) => this.breakOff(error),
    });
  }

  get closed(): boolean {
    return this.closing || this.raw || this.receiver.ended;
  }

  setHandlers(handlers: LinkHandlers): void {
    this.receiver.setHandlers(handlers);
  }

  pause(): void {
    this.receiver.pause();
  }

  resume(): void {
    this.receiver.resume();
  }

  destroy(error?: Error): void {
    if (this.raw) return;
    this.closing = true;
    this.receiver.end(error ? { by: 'error', error } : { by: 'local' }, true);
    this.cut();
  }

  /** As FrameSource. */
  protected abstract nextFrame(borrows: boolean): Uint8Array | null;
  protected abstract hasMore(): boolean;
  protected abstract flow(on: boolean): void;
  /** Ends the connection at once. */
  protected abstract cut(): void;

  /** So many bytes wait still: tells a sender that was held up, if it is little enough. */
  protected onLeft(buffered: number, low: number): void {
    if (!this.needDrain || this.raw || buffered > low) return;
    this.needDrain = false;
    if (!this.closing) this.receiver.drained();
  }

  protected breakOff(error: unknown): void {
    const toError = error instanceof WireError ? protocolError : linkError;
    this.destroy(toError(error, this.remoteAddress));
  }
}

/** As links show it; empty where the socket has lost it already. */
export function addressOf(host: string | undefined, port: number | undefined): string {
  return host === undefined ? '' : formatHostPort({ host: plainAddress(host), port: port ?? 0 });
}
