import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { joinParts, PAYLOAD_LIMITS } from '../core/link.ts';
import { release } from '../core/memory.ts';
import { FrameDecoder, frameHeader } from '../core/wire/frame.ts';
import { linkError, overflowError, truncatedError } from './errors.ts';
import type { NetLink } from './net-link.ts';
import { addressOf, SocketLink, type SocketLinkOptions } from './socket-link.ts';

export interface TcpLinkOptions extends SocketLinkOptions {
  /** Largest payload taken, in bytes; a larger announcement breaks the link. */
  maxPayload?: number;
  /**
   * Given: the other side may end its half and still gets answers (rendezvous §1.2). Its end is reported here instead of
   * closing the link; the owner closes, and needs a time limit of its own.
   */
  onRemoteEnd?: () => void;
}

/** Pieces that are together no larger than this are copied into one: a buffer is cheaper than two in one writev. */
const COPY_BELOW = 4096;

/** Frames of rendezvous §2 on a connected TCP socket, which the link owns from here on. */
export class TcpLink extends SocketLink implements NetLink {
  readonly transport = 'tcp';
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder;
  readonly #onRemoteEnd: (() => void) | undefined;
  /** Read, but not given to the decoder yet: at most what the socket emits before a pause takes effect. */
  readonly #chunks: Buffer[] = [];
  /** What the decoder has last been given. */
  #chunk: Buffer | undefined;
  #corked = false;
  #closeTimer: NodeJS.Timeout | undefined;

  constructor(socket: Socket, options: TcpLinkOptions = {}) {
    super(options);
    this.#socket = socket;
    this.#decoder = new FrameDecoder({ maxPayload: options.maxPayload ?? PAYLOAD_LIMITS.session });
    this.#onRemoteEnd = options.onRemoteEnd;
    this.localAddress = addressOf(socket.localAddress, socket.localPort);
    this.remoteAddress = addressOf(socket.remoteAddress, socket.remotePort);
    socket.setNoDelay(true);
    // Else Node ends our half as soon as the other one ends, and what we still have to say is lost.
    socket.allowHalfOpen = true;
    socket.pause();
    socket.on('data', this.#onData);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    if (socket.errored) this.#onError(socket.errored);
    else if (socket.destroyed) this.#onClose();
  }

  get bufferedBytes(): number {
    return this.raw ? 0 : this.#socket.writableLength;
  }

  /** The link keeps `payload` until it has left: do not change it afterwards. */
  send(payload: Uint8Array): boolean {
    return this.sendParts([payload]);
  }

  sendParts(parts: readonly Uint8Array[], owned = false): boolean {
    const socket = this.#socket;
    if (this.closing || this.raw || !socket.writable) return false;
    let length = 0;
    for (const part of parts) length += part.length;
    if (socket.writableLength + length > this.maxBuffered) {
      this.breakOff(overflowError(this.remoteAddress));
      return false;
    }
    const header = frameHeader(length);
    this.stats.framesOut++;
    this.stats.bytesOut += header.length + length;
    // Everything sent in one turn leaves in one system call.
    if (!this.#corked) {
      this.#corked = true;
      socket.cork();
      process.nextTick(this.#uncork);
    }
    const pieces = gathered(header, parts);
    const last = pieces.length - 1;
    for (let i = 0; i < last; i++) socket.write(pieces[i] as Uint8Array);
    socket.write(pieces[last] as Uint8Array, (error) => {
      if (owned && !error) for (const piece of pieces) release(piece);
      if (this.needDrain) this.onLeft(socket.writableLength, this.marks.low);
    });
    if (socket.writableLength <= this.marks.high) return true;
    this.needDrain = true;
    return false;
  }

  setMaxPayload(bytes: number): void {
    this.#decoder.maxPayload = bytes;
  }

  close(): void {
    if (this.closing || this.raw) return;
    this.closing = true;
    this.#socket.once('finish', this.#onFinish);
    this.#shutDown();
  }

  takeRaw(): Duplex {
    const socket = this.#socket;
    this.#uncork();
    this.raw = true;
    this.receiver.detach();
    clearTimeout(this.#closeTimer);
    socket.off('data', this.#onData);
    socket.off('end', this.#onEnd);
    socket.off('error', this.#onError);
    socket.off('close', this.#onClose);
    socket.off('finish', this.#onFinish);
    socket.pause();
    const rest = Buffer.concat([this.#decoder.takeRest(), ...this.#chunks.splice(0)]);
    if (rest.length > 0 && !socket.readableEnded) socket.unshift(rest);
    return socket;
  }

  protected override nextFrame(borrows: boolean): Uint8Array | null {
    while (!this.closing && !this.raw) {
      const frame = this.#decoder.next();
      if (frame) {
        this.stats.framesIn++;
        return borrows ? frame : new Uint8Array(frame);
      }
      // The decoder has taken what it needs of the one before.
      if (this.#chunk) release(this.#chunk);
      this.#chunk = this.#chunks.shift();
      if (!this.#chunk) return null;
      this.#decoder.feed(this.#chunk);
    }
    return null;
  }

  protected override hasMore(): boolean {
    return this.#decoder.buffered > 0 || this.#chunks.length > 0;
  }

  protected override flow(on: boolean): void {
    if (on || this.closing) this.#socket.resume();
    else this.#socket.pause();
  }

  protected override cut(): void {
    this.#socket.destroy();
  }

  readonly #uncork = (): void => {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  };

  readonly #onData = (chunk: Buffer): void => {
    this.stats.bytesIn += chunk.length;
    // While we close, what still comes is read and dropped: unread bytes would turn our FIN into a reset, which may
    // destroy at the other end what we have just sent.
    if (this.closing) return;
    this.#chunks.push(chunk);
    this.receiver.pump();
  };

  /** Comes only while the receiver takes frames, so every complete frame has been delivered. */
  readonly #onEnd = (): void => {
    if (this.closing) return;
    if (this.#decoder.buffered > 0) this.breakOff(truncatedError(this.remoteAddress));
    else if (this.#onRemoteEnd) this.#onRemoteEnd();
    else {
      this.closing = true;
      this.receiver.end({ by: 'remote' }, false);
      this.#shutDown();
    }
  };

  readonly #onError = (error: Error): void => {
    if (this.closing) return;
    this.receiver.end({ by: 'error', error: linkError(error, this.remoteAddress) }, false);
  };

  readonly #onFinish = (): void => this.receiver.end({ by: 'local' }, true);

  readonly #onClose = (): void => {
    clearTimeout(this.#closeTimer);
    // After an error or an end of the other side this changes nothing: the first report counts.
    this.receiver.end({ by: this.closing ? 'local' : 'remote' }, false);
  };

  /** Flushes, ends our half and reads the other one to its end, all within the time limit. */
  #shutDown(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    this.#closeTimer = setTimeout(() => {
      this.#onFinish();
      socket.destroy();
    }, this.closeFlushMs);
    socket.end();
    socket.resume();
  }
}

function gathered(header: Uint8Array, parts: readonly Uint8Array[]): Uint8Array[] {
  const pieces = [header];
  for (const part of parts) {
    const last = pieces[pieces.length - 1] as Uint8Array;
    if (last.length + part.length <= COPY_BELOW) pieces[pieces.length - 1] = joinParts([last, part]);
    else pieces.push(part);
  }
  return pieces;
}
