import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { WebSocket } from 'ws';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import type { Stage } from '../core/errors.ts';
import { abortError, dialError, dialTimeout, linkError, overflowError } from './errors.ts';
import type { NetLink } from './net-link.ts';
import { addressOf, SocketLink, type SocketLinkOptions } from './socket-link.ts';
import { setMaxPayload } from './ws-payload.ts';

export interface WebSocketLinkOptions extends SocketLinkOptions {
  /** Address of the other side where a proxy named it (rendezvous §1.2). */
  remoteAddress?: string;
}

/**
 * One binary message is one frame (rendezvous §2); text messages are skipped. The WebSocket must be open, its `maxPayload`
 * bounds what one message can hold, and the link owns it from here on.
 */
export class WebSocketLink extends SocketLink implements NetLink {
  readonly transport = 'websocket';
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly #ws: WebSocket;
  /** Messages that were parsed before a pause took effect: at most those of one read of the socket. */
  readonly #held: Uint8Array[] = [];
  #messages: RawMessages | undefined;
  #closeTimer: NodeJS.Timeout | undefined;

  constructor(ws: WebSocket, options: WebSocketLinkOptions = {}) {
    super(options);
    this.#ws = ws;
    const socket = socketOf(ws);
    this.localAddress = addressOf(socket?.localAddress, socket?.localPort);
    this.remoteAddress = options.remoteAddress ?? addressOf(socket?.remoteAddress, socket?.remotePort);
    ws.binaryType = 'nodebuffer';
    ws.pause();
    ws.on('message', this.#onMessage);
    ws.on('error', this.#onError);
    ws.on('close', this.#onClose);
    if (ws.readyState !== WebSocket.OPEN) this.#onClose();
  }

  get bufferedBytes(): number {
    return this.raw ? 0 : this.#ws.bufferedAmount;
  }

  /** The link keeps `payload` until it has left: do not change it afterwards. */
  send(payload: Uint8Array): boolean {
    const ws = this.#ws;
    if (this.closing || this.raw || ws.readyState !== WebSocket.OPEN) return false;
    if (ws.bufferedAmount + payload.length > this.maxBuffered) {
      this.destroy(overflowError(this.remoteAddress));
      return false;
    }
    this.stats.framesOut++;
    this.stats.bytesOut += payload.length;
    ws.send(payload, SEND_OPTIONS, this.#onSent);
    if (ws.bufferedAmount <= this.marks.high) return true;
    this.needDrain = true;
    return false;
  }

  setMaxPayload(bytes: number): void {
    setMaxPayload(this.#ws, bytes);
  }

  close(): void {
    if (this.closing || this.raw) return;
    this.closing = true;
    this.#closeTimer = setTimeout(() => {
      this.receiver.end({ by: 'local' }, true);
      this.#ws.terminate();
    }, this.closeFlushMs);
    this.#ws.close(1000);
    this.#ws.resume();
  }

  takeRaw(): Duplex {
    if (this.#messages) return this.#messages;
    this.raw = true;
    this.receiver.detach();
    clearTimeout(this.#closeTimer);
    this.#ws.off('message', this.#onMessage);
    this.#ws.off('error', this.#onError);
    this.#ws.off('close', this.#onClose);
    this.#messages = new RawMessages(this.#ws, this.#held.splice(0), this.closeFlushMs);
    return this.#messages;
  }

  protected override nextFrame(): Uint8Array | null {
    const frame = this.closing ? undefined : this.#held.shift();
    if (frame) this.stats.framesIn++;
    return frame ?? null;
  }

  protected override hasMore(): boolean {
    return this.#held.length > 0;
  }

  protected override flow(on: boolean): void {
    if (on || this.closing) this.#ws.resume();
    else this.#ws.pause();
  }

  protected override cut(): void {
    this.#ws.terminate();
  }

  readonly #onMessage = (data: unknown, isBinary: boolean): void => {
    if (!isBinary || this.closing || !(data instanceof Uint8Array)) return;
    this.stats.bytesIn += data.length;
    this.#held.push(data);
    this.receiver.pump();
  };

  readonly #onSent = (): void => this.onLeft(this.#ws.bufferedAmount, this.marks.low);

  readonly #onError = (error: Error): void => {
    this.receiver.end({ by: 'error', error: linkError(error, this.remoteAddress) }, false);
  };

  // Servers of this protocol close without a close frame (rendezvous §1.2): that is an end like any other.
  readonly #onClose = (): void => {
    clearTimeout(this.#closeTimer);
    this.receiver.end({ by: this.closing ? 'local' : 'remote' }, this.closing);
  };
}

const SEND_OPTIONS = { binary: true, compress: false };

/** The messages as a byte stream: each chunk written is one binary message, and no message is empty (session §7.6). */
class RawMessages extends Duplex {
  readonly #ws: WebSocket;
  readonly #flushMs: number;

  constructor(ws: WebSocket, held: Uint8Array[], flushMs: number) {
    // A string could not be told from bytes on the way out.
    super({ decodeStrings: true, allowHalfOpen: true });
    this.#ws = ws;
    this.#flushMs = flushMs;
    ws.pause();
    for (const chunk of held) if (chunk.length > 0) this.push(chunk);
    ws.on('message', (data: unknown, isBinary: boolean) => {
      if (isBinary && data instanceof Uint8Array && data.length > 0 && !this.push(data)) ws.pause();
    });
    ws.on('error', (error) => this.destroy(error));
    // What was read before stays readable; a write from now on fails.
    ws.on('close', () => this.push(null));
    if (ws.readyState !== WebSocket.OPEN) this.push(null);
  }

  override _read(): void {
    if (this.#ws.isPaused) this.#ws.resume();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (chunk.length === 0) done();
    else this.#ws.send(chunk, SEND_OPTIONS, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    const timer = setTimeout(() => this.#ws.terminate(), this.#flushMs);
    this.#ws.once('close', () => clearTimeout(timer));
    this.#ws.close(1000);
    this.#ws.resume();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#ws.readyState !== WebSocket.CLOSED) this.#ws.terminate();
    done(error);
  }
}

export interface DialWebSocketOptions {
  signal?: AbortSignal;
  /** For the connection and the WebSocket handshake, in milliseconds. */
  timeoutMs?: number;
  stage?: Stage;
  /** Largest message taken, in bytes; a larger one breaks the link before it is buffered. */
  maxPayload?: number;
  link?: WebSocketLinkOptions;
  /** A connection that stands already, perhaps with TLS on it: `url` then only names host and path. */
  socket?: Socket;
}

const DIAL_TIMEOUT_MS = 18_000;

/** Opens a WebSocket to `ws://` or `wss://`. Throws the errors of dialTcp. */
export async function dialWebSocket(url: string, options: DialWebSocketOptions = {}): Promise<WebSocketLink> {
  const { signal, timeoutMs = DIAL_TIMEOUT_MS, stage = 'server', socket } = options;
  if (signal?.aborted) {
    socket?.destroy();
    throw abortError(signal, stage);
  }
  return await new Promise<WebSocketLink>((resolve, reject) => {
    let ws: WebSocket;
    try {
      ws = new WebSocket(url, {
        perMessageDeflate: false,
        maxPayload: options.maxPayload ?? PAYLOAD_LIMITS.session,
        followRedirects: false,
        ...(socket ? { createConnection: () => socket } : {}),
      });
    } catch (error) {
      reject(dialError(error, url, stage));
      return;
    }
    const settle = (done: () => void): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      ws.removeAllListeners();
      // Cutting a WebSocket that is still connecting makes it report an error.
      ws.on('error', () => {});
      done();
    };
    const fail = (error: Error): void =>
      settle(() => {
        ws.terminate();
        socket?.destroy();
        reject(error);
      });
    const onAbort = (): void => fail(abortError(signal as AbortSignal, stage));
    const timer = setTimeout(() => fail(dialTimeout(url, stage)), timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    ws.on('error', (error) => fail(dialError(error, url, stage)));
    // In the same turn as 'open': no message is lost.
    ws.on('open', () => settle(() => resolve(new WebSocketLink(ws, options.link))));
  });
}

/** The socket under a WebSocket: the library has no public way to ask for its addresses. */
function socketOf(ws: WebSocket): Socket | undefined {
  const inner: unknown = Reflect.get(ws, '_socket');
  return typeof inner === 'object' && inner !== null ? (inner as Socket) : undefined;
}
