import type { Duplex } from 'node:stream';
import type { Link } from '../core/link.ts';

/** A link over a socket of this machine: it can also leave the frames behind and become a plain byte stream. */
export interface NetLink extends Link {
  /**
   * Ends framing: no handler is called any more, and from here on the returned stream carries the bytes of the
   * connection, beginning with those that arrived behind the last frame delivered (session §7.5). Call it from within
   * onFrame or while paused, so that no raw byte is taken for a frame. On a WebSocket each chunk is one binary message.
   * The stream comes paused (`pipe()` or `resume()` it) and allows half-open ends; its owner handles its errors and
   * closes it, which closes the connection. The link counts as closed.
   */
  takeRaw(): Duplex;
}

/** Marks of the send queue, in bytes. Above `high` send() answers false, at or below `low` onDrain is called. */
export interface WaterMarks {
  readonly high: number;
  readonly low: number;
}

/** Room for some frames of a busy screen; more would only be latency on a slow path. */
export const DEFAULT_MARKS: WaterMarks = { high: 1024 * 1024, low: 256 * 1024 };

/** A sender that goes on after send() said no is stopped here, before it eats the machine's memory. */
export const MAX_BUFFERED_BYTES = 128 * 1024 * 1024;

/** How long an orderly close may take to get the last bytes out before the connection is cut; a program ends within 2 s. */
export const CLOSE_FLUSH_MS = 1500;
