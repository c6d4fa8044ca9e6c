import type { Link, LinkClose, LinkHandlers, LinkStats, Transport } from './link.ts';

export interface MemoryLinkOptions {
  /** Above this many waiting bytes `send` answers false. */
  highWater?: number;
  /** Below this many waiting bytes onDrain is called. */
  lowWater?: number;
}

/**
 * One end of a pair of links that lives in memory, for tests. Frames wait at the sender until `flush` or, with
 * `auto`, leave at once, so a test decides how fast the "network" is.
 */
export class MemoryLink implements Link {
  readonly transport: Transport = 'tcp';
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly stats: LinkStats = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 };
  /** Frames leave as soon as they are sent. Off: they wait for `flush`. */
  auto = true;
  #peer: MemoryLink | null = null;
  #handlers: LinkHandlers | null = null;
  #closed = false;
  #paused = false;
  #wantDrain = false;
  #buffered = 0;
  #maxPayload = Infinity;
  readonly #out: Uint8Array[] = [];
  readonly #in: Uint8Array[] = [];
  #pendingClose: LinkClose | null = null;
  readonly #high: number;
  readonly #low: number;

  constructor(localAddress: string, remoteAddress: string, options: MemoryLinkOptions = {}) {
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
    this.#high = options.highWater ?? 256 * 1024;
    this.#low = options.lowWater ?? 64 * 1024;
  }

  connect(peer: MemoryLink): void {
    this.#peer = peer;
  }

  get bufferedBytes(): number {
    return this.#buffered;
  }

  get closed(): boolean {
    return this.#closed;
  }

  setHandlers(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.#deliver();
  }

  send(payload: Uint8Array): boolean {
    if (this.#closed) return false;
    this.#out.push(payload);
    this.#buffered += payload.length;
    if (this.auto) this.flush();
    const full = this.#buffered > this.#high;
    if (full) this.#wantDrain = true;
    return !full;
  }

  /** Lets up to `frames` waiting frames leave; returns how many did. */
  flush(frames = Number.POSITIVE_INFINITY): number {
    let count = 0;
    while (count < frames) {
      const payload = this.#out.shift();
      if (!payload) break;
      count++;
      this.#buffered -= payload.length;
      this.stats.framesOut++;
      this.stats.bytesOut += payload.length;
      const peer: MemoryLink | null = this.#peer;
      if (peer) peer.#receive(payload);
    }
    if (this.#wantDrain && this.#buffered <= this.#low && !this.#closed) {
      this.#wantDrain = false;
      this.#handlers?.onDrain?.();
    }
    return count;
  }

  setMaxPayload(bytes: number): void {
    this.#maxPayload = bytes;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#deliver();
  }

  close(): void {
    if (this.#closed) return;
    this.flush();
    const peer = this.#peer;
    this.#end({ by: 'local' });
    if (peer) peer.#end({ by: 'remote' });
  }

  destroy(error?: Error): void {
    if (this.#closed) return;
    this.#out.length = 0;
    const peer = this.#peer;
    this.#end(error ? { by: 'error', error } : { by: 'local' });
    if (peer) peer.#end({ by: 'error', error: error ?? new Error('connection reset') });
  }

  #receive(payload: Uint8Array): void {
    if (this.#closed) return;
    this.stats.framesIn++;
    this.stats.bytesIn += payload.length;
    this.#in.push(payload);
    this.#deliver();
  }

  #deliver(): void {
    while (this.#handlers && !this.#paused) {
      const payload = this.#in.shift();
      if (!payload) break;
      if (payload.length > this.#maxPayload) {
        this.destroy(new Error('a frame is larger than this end takes'));
        return;
      }
      this.#handlers.onFrame(payload);
    }
    if (this.#pendingClose && this.#handlers && this.#in.length === 0) {
      const close = this.#pendingClose;
      this.#pendingClose = null;
      this.#handlers.onClose(close);
    }
  }

  #end(close: LinkClose): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#buffered = 0;
    this.#pendingClose = close;
    this.#deliver();
  }
}

/** Two connected ends. */
export function memoryLinkPair(options: MemoryLinkOptions = {}): [MemoryLink, MemoryLink] {
  const a = new MemoryLink('192.0.2.1:50000', '192.0.2.2:21118', options);
  const b = new MemoryLink('192.0.2.2:21118', '192.0.2.1:50000', options);
  a.connect(b);
  b.connect(a);
  return [a, b];
}
