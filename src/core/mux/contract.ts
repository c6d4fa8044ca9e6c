/** Virtual streams as their users see them. Wire, limits and reasons: docs/tunnels.md. */
import type { StreamCode, StreamResetError } from './codes.ts';
import type { StreamTarget } from './target.ts';

export interface StreamHandlers {
  /** `read` has something for you, or the other end has finished (`ended`). */
  onReadable?(): void;
  /** `write` takes more again, after it had answered false. */
  onDrain?(): void;
  /** The other side has reached the target; `address` is what it reached, or empty. */
  onOpened?(address: string): void;
  /**
   * Exactly once, last. Null: both directions ended in order and everything was read; it then comes from within the `read`
   * that returns the last bytes.
   */
  onClose(error: StreamResetError | null): void;
}

export interface WriteOptions {
  /** The memory behind the bytes is the stream's, and released (core/memory.ts) when they have arrived. */
  readonly owned?: boolean;
}

/**
 * One virtual stream: both directions end on their own, what is not read holds up its own writer only, and a reset says
 * why. Nothing is lost silently: what `write` took is delivered in order, or the stream is reset.
 */
export interface MuxStream {
  /** Unique on its link; odd when opened by the connecting side. */
  readonly id: number;
  readonly target: StreamTarget;
  /** Opened by the other side. */
  readonly incoming: boolean;
  /** The address that the other side reached; null until it says so. */
  readonly openedAddress: string | null;
  /** The other end has finished, and everything was read. */
  readonly ended: boolean;
  /** Set once the stream is over: null when it ended in order. */
  readonly closed: { readonly error: StreamResetError | null } | null;
  /** Bytes received and not read; bytes written and not sent. */
  readonly unreadBytes: number;
  readonly unsentBytes: number;
  /** Bytes in all, as received and as written. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Installs the receiver; what came earlier is there to be read. A later call replaces it; it is told of an end that was, too. */
  setHandlers(handlers: StreamHandlers): void;
  /** The next bytes, whose memory is the reader's alone, or null when there are none now. Reading gives the other end credit for more. */
  read(): Uint8Array | null;
  /** Takes `bytes` (by reference, do not change them). False: wait for onDrain before writing more. */
  write(bytes: Uint8Array, options?: WriteOptions): boolean;
  /** No more will be written; the other direction goes on. */
  end(): void;
  /** On an incoming stream: the target has been reached. Optional; proxies wait for it before they answer. */
  accept(address?: string): void;
  /** Ends both directions at once and tells the other side why. Nothing happens on a stream that is over. */
  reset(code: StreamCode, reason?: string): void;
}

/** Why a mux ended. */
export interface MuxEnd {
  readonly by: 'local' | 'remote' | 'link';
  readonly code: StreamCode;
  readonly reason: string;
}

/** Counters of one mux; bytes are those of the streams. */
export interface MuxStats {
  readonly streams: number;
  readonly streamsOpened: number;
  readonly streamsRefused: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Received and not read, now and at most; never above LINK_CREDIT. */
  readonly unreadBytes: number;
  readonly unreadPeakBytes: number;
  /** Written and not sent, now and at most. */
  readonly unsentBytes: number;
  readonly unsentPeakBytes: number;
  /** Of the link, in milliseconds; null before the first measurement. */
  readonly rttMs: number | null;
}
