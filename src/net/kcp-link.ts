import type { Duplex } from 'node:stream';
import { type Clock, systemClock } from '../core/clock.ts';
import type { KcpEndpoint } from '../core/kcp/index.ts';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { FrameDecoder, frameHeader } from '../core/wire/index.ts';
import type { DatagramSocket } from './datagram-socket.ts';
import { formatHostPort, plainAddress } from './endpoint.ts';
import { linkError, overflowError, truncatedError } from './errors.ts';
import { KcpDuplex } from './kcp-raw.ts';
import { KcpSocket, type KcpSocketEnd } from './kcp-socket.ts';
import { onLinkDatagram } from './local-addresses.ts';
import type { NetLink } from './net-link.ts';
import { SocketLink, type SocketLinkOptions } from './socket-link.ts';

export { createPunchSocket, punchUdp, sendPunch, type PunchUdpOptions } from './punch-udp.ts';

export interface KcpLinkOptions extends SocketLinkOptions {
  /** Largest payload taken, in bytes; a larger announcement breaks the link. */
  maxPayload?: number;
  clock?: Clock;
}

/** Above this much of what the path carries send() answers false, however large the marks: more would only be lag. */
const QUEUE_MS = 25;
/** … but a few frames may always wait, so that the path does not run dry between a drain and the next frame. */
const MIN_QUEUE_BYTES = 4 * 1024;

/** Before it is known what the path carries. */
const FIRST_QUEUE_BYTES = 64 * 1024;

/** Frames of rendezvous §2 on an established KCP connection; owns the connected UDP socket from here on. */
export class KcpLink extends SocketLink implements NetLink {
  readonly transport = 'kcp';
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly #kcp: KcpSocket;
  readonly #endpoint: KcpEndpoint;
  readonly #decoder: FrameDecoder;

  constructor(socket: DatagramSocket, endpoint: KcpEndpoint, options: KcpLinkOptions = {}) {
    super(options);
    const clock = options.clock ?? systemClock;
    this.#endpoint = endpoint;
    this.#decoder = new FrameDecoder({ maxPayload: options.maxPayload ?? PAYLOAD_LIMITS.session });
    const local = socket.address();
    const remote = socket.remoteAddress();
    this.localAddress = formatHostPort({ host: plainAddress(local.address), port: local.port });
    const remoteHost = plainAddress(remote.address);
    this.remoteAddress = formatHostPort({ host: remoteHost, port: remote.port });
    const datagram = onLinkDatagram(remoteHost);
    if (datagram !== null) endpoint.tryDatagram(clock.now(), datagram);
    this.#kcp = new KcpSocket(socket, endpoint, clock, {
      onReadable: () => this.#onReadable(),
      onSent: () => this.#onSent(),
      onEnd: (end, cause) => this.#onEnd(end, cause),
    });
  }

  get bufferedBytes(): number {
    return this.raw ? 0 : this.#kcp.bufferedBytes;
  }

  /** Smoothed round trip of the path in ms, 0 before the first measurement. */
  get rttMs(): number {
    return this.#endpoint.rttMs;
  }

  /** Segments sent again so far. */
  get retransmits(): number {
    return this.#endpoint.retransmits;
  }

  send(payload: Uint8Array): boolean {
    return this.sendParts([payload]);
  }

  sendParts(parts: readonly Uint8Array[]): boolean {
    if (this.closed) return false;
    const kcp = this.#kcp;
    let length = 0;
    for (const part of parts) length += part.length;
    if (kcp.bufferedBytes + length > this.maxBuffered) {
      this.breakOff(overflowError(this.remoteAddress));
      return false;
    }
    const header = frameHeader(length);
    this.stats.framesOut++;
    this.stats.bytesOut += header.length + length;
    kcp.write(header);
    for (const part of parts) kcp.write(part);
    if (kcp.bufferedBytes <= this.#queueLimit(this.marks.high)) return true;
    this.needDrain = true;
    return false;
  }

  setMaxPayload(bytes: number): void {
    this.#decoder.maxPayload = bytes;
  }

  close(): void {
    if (this.closing || this.raw) return;
    this.closing = true;
    this.#kcp.end(this.closeFlushMs);
  }

  takeRaw(): Duplex {
    this.raw = true;
    this.receiver.detach();
    return new KcpDuplex(this.#kcp, this.remoteAddress, this.#decoder.takeRest());
  }

  protected override nextFrame(borrows: boolean): Uint8Array | null {
    while (!this.closing && !this.raw) {
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

  protected override hasMore(): boolean {
    return this.#decoder.buffered > 0 || this.#endpoint.readable;
  }

  /** Unread segments close the window, which stops the peer. */
  protected override flow(): void {}

  protected override cut(): void {
    this.#kcp.destroy();
  }

  #onReadable(): void {
    if (this.closing) {
      // What still comes while we close is read and dropped, so that the peer's window does not close on its FIN.
      while (this.#kcp.read());
    } else this.receiver.pump();
  }

  #onSent(): void {
    if (this.needDrain) this.onLeft(this.#kcp.bufferedBytes, Math.min(this.marks.low, this.#queueLimit(this.marks.high) / 2));
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
    if (this.closing) {
      this.receiver.end({ by: 'local' }, true);
      return;
    }
    this.receiver.pump();
    if (end === 'remote') {
      if (this.#decoder.buffered > 0 && !this.#endpoint.readable)
        this.receiver.end({ by: 'error', error: truncatedError(this.remoteAddress) }, false);
      else this.receiver.end({ by: 'remote' }, false);
    } else if (end === 'local') this.receiver.end({ by: 'local' }, false);
    else {
      const reason = cause ?? { code: end === 'idle' ? 'ETIMEDOUT' : 'ECONNRESET' };
      this.receiver.end({ by: 'error', error: linkError(reason, this.remoteAddress) }, false);
    }
  }
}
