import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '../core/clock.ts';
import { WireError } from '../core/errors.ts';
import type { KcpEndpoint } from '../core/kcp/index.ts';
import { type LinkHandlers, type LinkStats, PAYLOAD_LIMITS } from '../core/link.ts';
import { FrameDecoder, frameHeader } from '../core/wire/index.ts';
import type { DatagramSocket } from './datagram-socket.ts';
import { formatHostPort, plainAddress } from './endpoint.ts';
import { linkError, overflowError, protocolError, truncatedError } from './errors.ts';
import { KcpDuplex } from './kcp-raw.ts';
import { KcpSocket, type KcpSocketEnd } from './kcp-socket.ts';
import { onLinkDatagram } from './local-addresses.ts';
import {
  CLOSE_FLUSH_MS,
  DEFAULT_MARKS,
  MAX_BUFFERED_BYTES,
  type NetLink,
  type WaterMarks,
} from './net-link.ts';
import { Receiver } from './receiver.ts';

export { createPunchSocket, punchUdp, sendPunch, type PunchUdpOptions } from './punch-udp.ts';

export interface KcpLinkOptions {
  /** Largest payload taken, in bytes; a larger announcement breaks the link. */
  maxPayload?: number;
  marks?: WaterMarks;
  /** send() beyond this many waiting bytes breaks the link. */
  maxBuffered?: number;
  /** How long close() may flush, in milliseconds. */
  closeFlushMs?: number;
  clock?: Clock;
}

/** Above this much of what the path carries send() answers false, however large the marks: more would only be lag. */
const QUEUE_MS = 25;
/** … but a few frames may always wait, so that the path does not run dry between a drain and the next frame. */
const MIN_QUEUE_BYTES = 4 * 1024;

/** Before it is known what the path carries. */
const FIRST_QUEUE_BYTES = 64 * 1024;

/** Frames of rendezvous §2 on an established KCP connection; owns the connected UDP socket from here on. */
export class KcpLink implements NetLink {
  readonly transport = 'kcp';
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly stats: LinkStats = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 };
  readonly #kcp: KcpSocket;
  readonly #endpoint: KcpEndpoint;
  readonly #decoder: FrameDecoder;
  readonly #marks: WaterMarks;
  readonly #maxBuffered: number;
  readonly #closeFlushMs: number;
  readonly #receiver: Receiver;
  #needDrain = false;
  #closing = false;
  #raw = false;

  constructor(socket: DatagramSocket, endpoint: KcpEndpoint, options: KcpLinkOptions = {}) {
    const clock = options.clock ?? systemClock;
    this.#endpoint = endpoint;
    this.#decoder = new FrameDecoder({ maxPayload: options.maxPayload ?? PAYLOAD_LIMITS.session });
    this.#marks = options.marks ?? DEFAULT_MARKS;
    this.#maxBuffered = options.maxBuffered ?? MAX_BUFFERED_BYTES;
    this.#closeFlushMs = options.closeFlushMs ?? CLOSE_FLUSH_MS;
    const local = socket.address();
    const remote = socket.remoteAddress();
    this.localAddress = formatHostPort({ host: plainAddress(local.address), port: local.port });
    const remoteHost = plainAddress(remote.address);
    this.remoteAddress = formatHostPort({ host: remoteHost, port: remote.port });
    const datagram = onLinkDatagram(remoteHost);
    if (datagram !== null) endpoint.tryDatagram(clock.now(), datagram);
    this.#receiver = new Receiver({
      next: (borrows) => this.#next(borrows),
      hasMore: () => this.#decoder.buffered > 0 || endpoint.readable,
      // Unread segments close the window, which stops the peer.
      flow: () => {},
      fail: (error) => this.#break(error),
    });
    this.#kcp = new KcpSocket(socket, endpoint, clock, {
      onReadable: () => this.#onReadable(),
      onSent: () => this.#onSent(),
      onEnd: (end, cause) => this.#onEnd(end, cause),
    });
  }

  get bufferedBytes(): number {
    return this.#raw ? 0 : this.#kcp.bufferedBytes;
  }

  get closed(): boolean {
    return this.#closing || this.#raw || this.#receiver.ended;
  }

  /** Smoothed round trip of the path in ms, 0 before the first measurement. */
  get rttMs(): number {
    return this.#endpoint.rttMs;
  }

  /** Segments sent again so far. */
  get retransmits(): number {
    return this.#endpoint.retransmits;
  }

  setHandlers(handlers: LinkHandlers): void {
    this.#receiver.setHandlers(handlers);
  }

  send(payload: Uint8Array): boolean {
    return this.sendParts([payload]);
  }

  sendParts(parts: readonly Uint8Array[]): boolean {
    if (this.closed) return false;
    const kcp = this.#kcp;
    let length = 0;
    for (const part of parts) length += part.length;
    if (kcp.bufferedBytes + length > this.#maxBuffered) {
      this.#break(overflowError(this.remoteAddress));
      return false;
    }
    const header = frameHeader(length);
    this.stats.framesOut++;
    this.stats.bytesOut += header.length + length;
    kcp.write(header);
    for (const part of parts) kcp.write(part);
    if (kcp.bufferedBytes <= this.#queueLimit(this.#marks.high)) return true;
    this.#needDrain = true;
    return false;
  }

  setMaxPayload(bytes: number): void {
    this.#decoder.maxPayload = bytes;
  }

  pause(): void {
    this.#receiver.pause();
  }

  resume(): void {
    this.#receiver.resume();
  }

  close(): void {
    if (this.#closing || this.#raw) return;
    this.#closing = true;
    this.#kcp.end(this.#closeFlushMs);
  }

  destroy(error?: Error): void {
    if (this.#raw) return;
    this.#closing = true;
    this.#receiver.end(error ? { by: 'error', error } : { by: 'local' }, true);
    this.#kcp.destroy();
  }

  takeRaw(): Duplex {
    this.#raw = true;
    this.#receiver.detach();
    return new KcpDuplex(this.#kcp, this.remoteAddress, this.#decoder.takeRest());
  }

  #next(borrows: boolean): Uint8Array | null {
    while (!this.#closing && !this.#raw) {
      const frame = this.#decoder.next();
      if (frame) {
        this.stats.framesIn++;
        return borrows ? frame : new Uint8Array(frame);
      }
      const chunk = this.#kcp.read();
      if (!chunk) return null;
      this.stats.bytesIn += chunk.length;
      this.#decoder.feed(chunk);
    }
    return null;
  }

  #onReadable(): void {
    if (this.#closing) {
      // What still comes while we close is read and dropped, so that the peer's window does not close on its FIN.
      while (this.#kcp.read());
    } else this.#receiver.pump();
  }

  #onSent(): void {
    if (
      !this.#needDrain ||
      this.#kcp.bufferedBytes > this.#queueLimit(this.#marks.high) / 2 ||
      this.#kcp.bufferedBytes > this.#marks.low
    )
      return;
    this.#needDrain = false;
    if (!this.#closing) this.#receiver.drained();
  }

  /** The mark, or what the path carries in `QUEUE_MS`, whichever is less. */
  #queueLimit(mark: number): number {
    const { bandwidth } = this.#endpoint;
    return Math.min(
      mark,
      bandwidth === 0 ? FIRST_QUEUE_BYTES : Math.max(MIN_QUEUE_BYTES, bandwidth * QUEUE_MS),
    );
  }

  #onEnd(end: KcpSocketEnd, cause: Error | undefined): void {
    if (this.#closing) {
      this.#receiver.end({ by: 'local' }, true);
      return;
    }
    this.#receiver.pump();
    if (end === 'remote') {
      if (this.#decoder.buffered > 0 && !this.#endpoint.readable)
        this.#receiver.end({ by: 'error', error: truncatedError(this.remoteAddress) }, false);
      else this.#receiver.end({ by: 'remote' }, false);
    } else if (end === 'local') this.#receiver.end({ by: 'local' }, false);
    else {
      const reason = cause ?? { code: end === 'idle' ? 'ETIMEDOUT' : 'ECONNRESET' };
      this.#receiver.end({ by: 'error', error: linkError(reason, this.remoteAddress) }, false);
    }
  }

  #break(error: unknown): void {
    this.destroy(
      error instanceof WireError
        ? protocolError(error, this.remoteAddress)
        : linkError(error, this.remoteAddress),
    );
  }
}
