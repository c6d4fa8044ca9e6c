/** One end of a relayed session, TCP or WebSocket (over UDP: relay-kcp-end.ts), as the pair sees it (rendezvous §7.4). */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { encodeFrame, FrameDecoder } from '../core/wire/index.ts';
import { adoptSocket } from './adopt-socket.ts';
import type { ReadBuffers } from './read-buffers.ts';
import { handOver } from './relay-frames.ts';

export interface EndEvents {
  /**
   * Bytes (raw TCP) or one message (framed) came from the client. True: nobody needs their memory any more, or nobody
   * will before this end is read again.
   */
  onData(data: Uint8Array): boolean | void;
  /** Pings and the like: traffic that is not forwarded. */
  onSign(): void;
  /** The client sends no more, but may still read. */
  onEnd(): void;
  /** It can be written to again after `write` answered false. */
  onDrain(): void;
  /** It is gone. */
  onClose(): void;
}

export interface RelayEnd {
  readonly kind: 'tcp' | 'ws' | 'kcp';
  readonly host: string;
  setEvents(events: EndEvents): void;
  /** From here on `onData` and `write` are about message payloads, not raw bytes. TCP only; WebSocket always is. */
  useFrames(): void;
  /** From here on bytes pass as they are, both ends being TCP. */
  useRaw(): void;
  /** Delivers what was read ahead of the pairing as if it came now. */
  replay(data: Uint8Array): void;
  /** False: wait for onDrain. */
  write(data: Uint8Array): boolean;
  /** Whether all that was written is with the system. */
  readonly flushed: boolean;
  /** No more will be written; what was still leaves. */
  end(): void;
  pause(): void;
  resume(): void;
  destroy(): void;
}

const NO_BYTES = new Uint8Array(0);
/** Bytes read from one connection before the others have their turn: some 1 ms of work. */
const TURN_BYTES = 1024 * 1024;
/** Chunks after which a connection is read into our memory: one that is idle takes less of it as it is. */
const ACTIVE_READS = 8;
/** Full shared buffers in a row that make a connection busy, and half-empty large ones that make it quiet again. */
const BUSY_READS = 4;
const QUIET_READS = 64;

export class TcpEnd implements RelayEnd {
  readonly kind = 'tcp';
  readonly host: string;
  readonly #maxMessage: number;
  readonly #buffers: ReadBuffers;
  #socket: Socket;
  #events: EndEvents | undefined;
  #decoder: FrameDecoder | null = null;
  /** A large buffer, while busy. */
  #large: Buffer | null = null;
  /** Reads in a row that speak for a change between quiet and busy. */
  #signs = 0;
  #turnBytes = 0;
  /** Raw, and still read by Node: will be read into our memory once it is active. */
  #mayMove = false;
  #paused = false;
  #yielding = false;
  readonly #early: Uint8Array[] = [];
  readonly #onChunk = (chunk: Uint8Array): void => {
    if (this.#mayMove) this.#lookForMove();
    this.#onData(chunk);
  };
  readonly #listeners = {
    end: () => this.#events?.onEnd(),
    drain: () => this.#events?.onDrain(),
    close: () => this.#onClosed(),
    error: () => this.#socket.destroy(),
  };

  /** Takes over the events of `socket`. */
  constructor(socket: Socket, host: string, maxMessage: number, buffers: ReadBuffers) {
    this.host = host;
    this.#maxMessage = maxMessage;
    this.#buffers = buffers;
    this.#socket = socket;
    socket.on('data', this.#onChunk);
    this.#listen();
  }

  setEvents(events: EndEvents): void {
    this.#events = events;
  }

  useFrames(): void {
    this.#decoder = new FrameDecoder({ maxPayload: this.#maxMessage });
  }

  useRaw(): void {
    this.#mayMove = true;
  }

  replay(data: Uint8Array): void {
    if (data.length > 0) this.#onData(data);
  }

  write(data: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) return true;
    // A chunk as large as the buffer's mark always "fills" it, also when the system took it at once.
    return socket.write(this.#decoder ? encodeFrame(data) : data) || socket.writableLength === 0;
  }

  get flushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    // What was read before the socket was moved comes first.
    while (this.#early.length > 0 && !this.#paused) this.#onData(this.#early.shift() ?? NO_BYTES);
    if (!this.#paused && !this.#yielding) this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #listen(): void {
    this.#socket
      .on('end', this.#listeners.end)
      .on('drain', this.#listeners.drain)
      .on('close', this.#listeners.close)
      .on('error', this.#listeners.error);
  }

  #onClosed(): void {
    // The system may not have done with the memory of what the other side's socket still has to write.
    if (this.#large) this.#buffers.forget();
    this.#large = null;
    this.#events?.onClose();
  }

  #lookForMove(): void {
    if (++this.#signs < ACTIVE_READS) return;
    this.#signs = 0;
    // Not from within a read.
    setImmediate(() => this.#move());
  }

  #move(): void {
    if (!this.#mayMove || this.#socket.destroyed) return;
    const old = this.#socket;
    const moved = adoptSocket(old, {
      buffer: () => this.#large ?? this.#buffers.shared,
      onBytes: (bytes) => this.#onBytes(bytes),
    });
    if (!moved) return;
    this.#mayMove = false;
    for (const event of ['end', 'drain', 'close'] as const) old.removeListener(event, this.#listeners[event]);
    this.#socket = moved.socket;
    this.#listen();
    this.#early.push(...moved.early);
    if (!this.#paused) this.resume();
  }

  /** What was read into a buffer of ours. */
  #onBytes(bytes: Buffer): void {
    const { length } = bytes;
    if (this.#large) this.#onLargeRead(this.#large, bytes);
    else {
      this.#signs = length === this.#buffers.shared.length ? this.#signs + 1 : 0;
      // The memory is everybody's: whoever is read next finds it free.
      const copy = this.#buffers.copy(bytes);
      // Paused: it may be on its way still.
      if (this.#events?.onData(copy) === true && !this.#paused) this.#buffers.reuse(copy);
      if (this.#signs >= BUSY_READS && !this.#socket.destroyed) {
        this.#signs = 0;
        this.#large = this.#buffers.take();
      }
    }
    this.#turnBytes += length;
    if (this.#turnBytes < TURN_BYTES || this.#yielding) return;
    this.#yielding = true;
    this.#socket.pause();
    setImmediate(() => {
      this.#yielding = false;
      this.#turnBytes = 0;
      if (!this.#paused) this.#socket.resume();
    });
  }

  #onLargeRead(buffer: Buffer, bytes: Buffer): void {
    this.#signs = bytes.length < this.#buffers.shared.length ? this.#signs + 1 : 0;
    const free = this.#events?.onData(bytes) ?? false;
    if (this.#large !== buffer || (free && this.#signs < QUIET_READS)) return;
    this.#signs = 0;
    this.#large = null;
    // A buffer with bytes that have not left stays with them; its place is free for another.
    if (free && this.#paused === false) this.#buffers.give(buffer);
    else this.#buffers.forget();
  }

  #onData(chunk: Uint8Array): void {
    if (!this.#decoder) this.#events?.onData(chunk);
    else if (!handOver(chunk, this.#decoder, this.#events)) this.destroy();
  }
}

export class WsEnd implements RelayEnd {
  readonly kind = 'ws';
  readonly host: string;
  readonly #ws: WebSocket;
  readonly #maxUnsent: number;
  #events: EndEvents | undefined;
  #full = false;

  constructor(ws: WebSocket, host: string, maxUnsent: number) {
    this.host = host;
    this.#ws = ws;
    this.#maxUnsent = maxUnsent;
    ws.on('message', (data, isBinary) => {
      const bytes = data as Buffer;
      if (isBinary && bytes.length > 0) this.#events?.onData(bytes);
      else this.#events?.onSign();
    });
    ws.on('ping', () => this.#events?.onSign());
    ws.on('error', () => ws.terminate());
    // A WebSocket has no half: its end is the end of both directions.
    ws.on('close', () => this.#events?.onClose());
  }

  setEvents(events: EndEvents): void {
    this.#events = events;
  }

  useFrames(): void {}

  useRaw(): void {}

  get flushed(): boolean {
    return this.#ws.bufferedAmount === 0;
  }

  replay(data: Uint8Array): void {
    this.#events?.onData(data);
  }

  write(data: Uint8Array): boolean {
    if (this.#ws.readyState !== this.#ws.OPEN) return true;
    this.#ws.send(data, { binary: true }, () => {
      if (!this.#full || this.#ws.bufferedAmount > this.#maxUnsent / 2) return;
      this.#full = false;
      this.#events?.onDrain();
    });
    this.#full ||= this.#ws.bufferedAmount > this.#maxUnsent;
    return !this.#full;
  }

  end(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.close(1000);
  }

  pause(): void {
    this.#ws.pause();
  }

  resume(): void {
    this.#ws.resume();
  }

  destroy(): void {
    this.#ws.terminate();
  }
}
