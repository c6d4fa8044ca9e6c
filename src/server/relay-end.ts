/** One end of a relayed session, TCP or WebSocket, as the pair sees it (rendezvous §7.4). */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { encodeFrame, FrameDecoder } from '../core/wire/index.ts';

export interface EndEvents {
  /** Bytes (raw TCP) or one message (framed) came from the client. */
  onData(data: Uint8Array): void;
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
  readonly kind: 'tcp' | 'ws';
  readonly host: string;
  setEvents(events: EndEvents): void;
  /** From here on `onData` and `write` are about message payloads, not raw bytes. TCP only; WebSocket always is. */
  useFrames(): void;
  /** Delivers what was read ahead of the pairing as if it came now. */
  replay(data: Uint8Array): void;
  /** False: wait for onDrain. */
  write(data: Uint8Array): boolean;
  /** No more will be written; what was still leaves. */
  end(): void;
  pause(): void;
  resume(): void;
  destroy(): void;
}

export class TcpEnd implements RelayEnd {
  readonly kind = 'tcp';
  readonly host: string;
  readonly #socket: Socket;
  readonly #maxMessage: number;
  #events: EndEvents | undefined;
  #decoder: FrameDecoder | null = null;

  /** Takes over the events of `socket`. */
  constructor(socket: Socket, host: string, maxMessage: number) {
    this.host = host;
    this.#socket = socket;
    this.#maxMessage = maxMessage;
    socket.on('data', (chunk) => this.#onData(chunk));
    socket.on('end', () => this.#events?.onEnd());
    socket.on('drain', () => this.#events?.onDrain());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#events?.onClose());
  }

  setEvents(events: EndEvents): void {
    this.#events = events;
  }

  useFrames(): void {
    this.#decoder = new FrameDecoder({ maxPayload: this.#maxMessage });
  }

  replay(data: Uint8Array): void {
    if (data.length > 0) this.#onData(data);
  }

  write(data: Uint8Array): boolean {
    if (this.#socket.destroyed || this.#socket.writableEnded) return true;
    return this.#socket.write(this.#decoder ? encodeFrame(data) : data);
  }

  end(): void {
    this.#socket.end();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #onData(chunk: Uint8Array): void {
    if (!this.#decoder) return this.#events?.onData(chunk);
    try {
      for (const payload of this.#decoder.push(chunk)) {
        // Heartbeats of the framing are not forwarded across (rendezvous §7.4), but show that somebody is there.
        if (payload.length > 0) this.#events?.onData(payload);
        else this.#events?.onSign();
      }
    } catch {
      this.destroy();
    }
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
