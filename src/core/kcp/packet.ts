/** The 14-byte header in front of every datagram (rendezvous §10.2): flags, and the triple that names the connection. */
import { putU32 } from './bytes.ts';
import { ENDPOINT_HEADER } from './constants.ts';

export const FLAG_SYN = 0x01;
export const FLAG_ACK = 0x02;
export const FLAG_FIN = 0x04;
export const FLAG_DATA = 0x08;
export const FLAG_RST = 0x10;
export const FLAG_PING = 0x20;
export const FLAG_PONG = 0x40;
/** The flags that the state machine looks at. */
export const STATE_FLAGS = FLAG_SYN | FLAG_ACK | FLAG_FIN | FLAG_RST | FLAG_DATA;

/** Control packets waiting to leave; what overflows is lost like a datagram. */
const MAX_CONTROL = 64;

export function putHeader(
  out: Uint8Array,
  at: number,
  conv: number,
  src: number,
  dst: number,
  flags: number,
): void {
  putU32(out, at, conv);
  putU32(out, at + 4, src);
  putU32(out, at + 8, dst);
  out[at + 12] = flags;
  out[at + 13] = 0;
}

/** Ends a connection that its receiver believes to have with us; no packet is shorter. */
export function resetPacket(conv: number, { src, dst }: { readonly src: number; readonly dst: number }): Uint8Array {
  const out = new Uint8Array(ENDPOINT_HEADER);
  putHeader(out, 0, conv, src, dst, FLAG_RST);
  return out;
}

/** Whether a packet ends its connection: never answered. */
export function isReset(packet: Uint8Array): boolean {
  return ((packet[12] ?? 0) & FLAG_RST) !== 0;
}

/** Packets without payload, in the order in which they are to leave. */
export class ControlQueue {
  /** Flags and triple each, in a ring. */
  readonly #numbers = new Uint32Array(MAX_CONTROL * 4);
  #head = 0;
  #count = 0;

  get empty(): boolean {
    return this.#count === 0;
  }

  push(flags: number, conv: number, src: number, dst: number): void {
    if (this.#count >= MAX_CONTROL) return;
    this.#numbers.set([flags, conv, src, dst], ((this.#head + this.#count++) % MAX_CONTROL) * 4);
  }

  /** Writes the next one, which must be there; returns its length. */
  shift(out: Uint8Array, at: number): number {
    const i = this.#head * 4;
    this.#head = (this.#head + 1) % MAX_CONTROL;
    this.#count--;
    const [flags = 0, conv = 0, src = 0, dst = 0] = this.#numbers.subarray(i, i + 4);
    putHeader(out, at, conv, src, dst, flags);
    return ENDPOINT_HEADER;
  }
}
