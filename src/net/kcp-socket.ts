import type { Clock } from '../core/clock.ts';
import { type KcpEndpoint, MAX_DATAGRAM } from '../core/kcp/index.ts';
import type { DatagramSocket } from './datagram-socket.ts';
import { systemCode } from './errors.ts';

/** Datagrams of one burst; then what has arrived is read first, or a fast sender would overrun the receive buffer. */
const BURST = 64;
/** Room for datagrams of a connection that has not sent much yet: a server has thousands that never will. */
const FIRST_BURST = 4;
/** Datagrams that the system has not taken yet, in bytes; beyond it we wait, since more would be a queue without control. */
const MAX_SYSTEM_QUEUE = 256 * 1024;
/** A UDP socket's default buffer holds fewer than 100 datagrams, one tenth of the window that a peer may fill. */
const SOCKET_BUFFER = 4 * 1024 * 1024;

/** Whoever waits to write is asked when fewer bytes are left: a datagram that is not full would cost as much as a full one. */
const REFILL_BELOW = 2 * MAX_DATAGRAM;

export type KcpSocketEnd = 'local' | 'remote' | 'reset' | 'idle' | 'failed';

export interface KcpSocketHandlers {
  onReadable(): void;
  /** Fewer bytes wait than before. */
  onSent(): void;
  /** The connection is over and the UDP socket closed; read() still gives what had arrived. Called once. */
  onEnd(end: KcpSocketEnd, cause?: Error): void;
}

/**
 * A KCP connection on a connected UDP socket, which it owns: drives the endpoint with datagrams and time. A byte stream;
 * frames are a matter of the link above.
 */
export class KcpSocket {
  readonly #socket: DatagramSocket;
  readonly #endpoint: KcpEndpoint;
  readonly #clock: Clock;
  #handlers: KcpSocketHandlers;
  /** Written and not yet taken by the endpoint. */
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #tx = Buffer.allocUnsafeSlow(FIRST_BURST * MAX_DATAGRAM);
  #txAt = 0;
  #cancelTimer: (() => void) | undefined;
  #timerAt = Infinity;
  #immediate: NodeJS.Immediate | undefined;
  #flushSoon = false;
  #ending = false;
  #over = false;
  #cancelDeadline: (() => void) | undefined;

  constructor(socket: DatagramSocket, endpoint: KcpEndpoint, clock: Clock, handlers: KcpSocketHandlers) {
    this.#socket = socket;
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#handlers = handlers;
    growBuffers(socket);
    socket.on('message', this.#onMessage);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    this.#schedule();
  }

  get over(): boolean {
    return this.#over;
  }

  get readable(): boolean {
    return this.#endpoint.readable;
  }

  /** Bytes written that have not left even once. */
  get bufferedBytes(): number {
    return this.#waitingBytes + this.#endpoint.backlogBytes;
  }

  setHandlers(handlers: KcpSocketHandlers): void {
    this.#handlers = handlers;
  }

  /** Queues bytes by reference; they leave at the end of the running callback. */
  write(bytes: Uint8Array): void {
    if (this.#over || this.#ending || bytes.length === 0) return;
    const taken = this.#waitingBytes > 0 ? 0 : this.#endpoint.write(bytes);
    if (taken < bytes.length) {
      this.#waiting.push(bytes.subarray(taken));
      this.#waitingBytes += bytes.length - taken;
    }
    if (this.#flushSoon) return;
    this.#flushSoon = true;
    queueMicrotask(this.#flushNow);
  }

  read(): Uint8Array | undefined {
    const chunk = this.#endpoint.read();
    // Reading may have opened our window again, which the peer must hear.
    if (!chunk && !this.#over) this.#schedule();
    return chunk;
  }

  /** Ends in order: everything written is acknowledged, then FIN; cut off after `limitMs`. */
  end(limitMs: number): void {
    if (this.#over || this.#ending) return;
    this.#ending = true;
    this.#cancelDeadline = this.#clock.setTimer(limitMs, () => this.destroy());
    this.#flush();
  }

  /** Ends at once with a RST. */
  destroy(): void {
    if (this.#over) return;
    this.#endpoint.abort();
    this.#drainControl();
    this.#finish('local');
  }

  readonly #onMessage = (datagram: Buffer): void => {
    if (this.#over) return;
    this.#endpoint.handle(this.#clock.now(), datagram);
    this.#schedule();
    if (this.#endpoint.readable) this.#handlers.onReadable();
    const state = this.#endpoint.state;
    if (state === 'peer-closed' || state === 'closed') this.#checkEnd();
  };

  readonly #onError = (error: Error): void => {
    // Only "nobody listens there" is final: a route that is gone for a moment is a loss like any other.
    if (systemCode(error) === 'ECONNREFUSED') this.#finish(this.#ending ? 'local' : 'remote', error);
    else if (systemCode(error) === 'EBADF') this.#finish('failed', error);
  };

  readonly #onClose = (): void => this.#finish('failed', new Error('the UDP socket was closed'));

  readonly #flushNow = (): void => {
    this.#flushSoon = false;
    this.#flush();
  };

  readonly #onImmediate = (): void => {
    this.#immediate = undefined;
    this.#flush();
  };

  readonly #onTimer = (): void => {
    this.#cancelTimer = undefined;
    this.#timerAt = Infinity;
    // After a busy moment timers come before the datagrams that arrived in it, and those may be what was waited for.
    this.#schedule();
  };

  /** One flush for all datagrams that the event loop delivers in this turn. */
  #schedule(): void {
    if (!this.#immediate && !this.#over) this.#immediate = setImmediate(this.#onImmediate);
  }

  #flush(): void {
    if (this.#over) return;
    const now = this.#clock.now();
    const before = this.bufferedBytes;
    this.#refill();
    const sent = this.#transmit(now);
    if (this.#over) return;
    if (this.#ending && this.#waitingBytes === 0 && this.#endpoint.state === 'established') {
      this.#endpoint.close(now);
      if (sent >= 0 && sent < BURST) this.#transmit(now);
    }
    this.#checkEnd();
    if (this.#over) return;
    if (sent === BURST) this.#schedule();
    else this.#arm(now, sent < 0 ? now + 1 : this.#endpoint.pollTimeout(now));
    if (before > 0 && this.bufferedBytes < before) this.#handlers.onSent();
  }

  #refill(): void {
    let count = 0;
    for (const chunk of this.#waiting) {
      const taken = this.#endpoint.write(chunk);
      this.#waitingBytes -= taken;
      if (taken < chunk.length) {
        this.#waiting[count] = chunk.subarray(taken);
        break;
      }
      count++;
    }
    if (count > 0) this.#waiting.splice(0, count);
  }

  /** Number of datagrams sent, or -1 while the system does not take any. */
  #transmit(now: number): number {
    const queued = this.#socket.getSendQueueSize();
    if (queued > MAX_SYSTEM_QUEUE) return -1;
    // Buffers belong to the system until they have left: reuse them only when all have.
    if (queued === 0) this.#txAt = 0;
    let sent = 0;
    while (sent < BURST) {
      if (this.#txAt + MAX_DATAGRAM > this.#tx.length) {
        this.#tx = Buffer.allocUnsafeSlow(Math.min(2 * this.#tx.length, BURST * MAX_DATAGRAM));
        this.#txAt = 0;
      }
      const length = this.#endpoint.pollTransmit(now, this.#tx, this.#txAt);
      if (length === 0) break;
      this.#socket.send(this.#tx, this.#txAt, length);
      this.#txAt += length;
      sent++;
      if (this.bufferedBytes <= REFILL_BELOW) this.#handlers.onSent();
      if (this.#over) break;
    }
    return sent;
  }

  #drainControl(): void {
    try {
      this.#transmit(this.#clock.now());
    } catch {
      // The socket is going away; so is the packet.
    }
  }

  #checkEnd(): void {
    if (this.#over) return;
    const endpoint = this.#endpoint;
    if (endpoint.state === 'peer-closed') {
      endpoint.close(this.#clock.now());
      this.#drainControl();
      this.#finish(this.#ending ? 'local' : 'remote');
    } else if (endpoint.state === 'closed') {
      this.#drainControl();
      const reason = endpoint.closeReason;
      if (this.#ending || reason === 'local') this.#finish('local');
      else this.#finish(reason === 'idle' ? 'idle' : reason === 'remote' ? 'remote' : 'reset');
    }
  }

  #arm(now: number, at: number): void {
    // An armed timer that fires too early costs one look; arming anew for every datagram would cost more.
    if (at >= this.#timerAt || at === Infinity) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.setTimer(Math.max(1, Math.ceil(at - now)), this.#onTimer);
  }

  #finish(end: KcpSocketEnd, cause?: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#cancelTimer?.();
    this.#cancelDeadline?.();
    if (this.#immediate) clearImmediate(this.#immediate);
    this.#waiting = [];
    this.#waitingBytes = 0;
    const socket = this.#socket;
    socket.off('message', this.#onMessage);
    socket.off('close', this.#onClose);
    try {
      socket.close();
    } catch {
      // Closed by somebody else.
    }
    this.#handlers.onEnd(end, cause);
  }
}

function growBuffers(socket: DatagramSocket): void {
  try {
    socket.setRecvBufferSize(SOCKET_BUFFER);
    socket.setSendBufferSize(SOCKET_BUFFER);
  } catch {
    // The system's own size then; the congestion window finds it out.
  }
}
