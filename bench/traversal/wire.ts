/** What travels between the two ends of a measurement, and what they report. */

/** Bulk comes in frames of this size: on the slowest path, a thirtieth of a second. */
export const BULK_FRAME = 4 * 1024;
/** A small message, as a key or a mouse movement: its first 8 bytes are when it was sent. */
export const SMALL_FRAME = 32;
export const SMALL_EVERY_MS = 20;
/** How long this much takes from the start of a connection is told apart. */
export const FIRST_BYTES = 1024 * 1024;

/** `native`: a session's link over several paths, of which it has one, by KCP. */
export type Carrier = 'native' | 'kcp' | 'stock' | 'tcp';
/** CUBIC is Linux's default; BBR answers the question what another TCP would do. */
export type TcpKind = 'cubic' | 'bbr';

export interface EndOptions {
  readonly role: 'send' | 'receive';
  readonly carrier: Carrier;
  /** With the carrier `tcp`. */
  readonly tcpKind?: TcpKind;
  /** With the carrier `native`: 32 bytes in hex, from which the sender's signing key follows. */
  readonly keySeed: string;
  readonly address: string;
  readonly peer: string;
  readonly port: number;
  /** What arrives in the first part is not counted: the start of a connection is measured apart. */
  readonly settleMs: number;
  readonly forMs: number;
}

/** Latencies are from one end's send() to the other's onFrame, in ms, by the one monotonic clock of the machine. */
export interface Report {
  readonly goodputBps: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** From the first byte sent to the arrival of FIRST_BYTES; null: they took longer than the measurement. */
  readonly firstMs: number | null;
}

export function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
