import type { Clock } from '../clock.ts';
import type { Link, LinkClose, LinkHandlers, LinkStats, Transport } from '../link.ts';

/** One path between two ends, each direction alike. */
export interface SimPathShape {
  /** Time on the way, in milliseconds. */
  readonly delayMs: number;
  /** Bytes per millisecond; default unlimited. */
  readonly rate?: number;
  /** Bytes that wait at the sender above which `send` answers false. */
  readonly highWater?: number;
}

/**
 * A path over a virtual clock: two links that keep their frames in order like TCP or KCP. It can fall silent (frames wait
 * on the way and may never arrive), come back, and break at different times for its two ends.
 */
export class SimPath {
  readonly a: SimLink;
  readonly b: SimLink;

  constructor(clock: Clock, shape: SimPathShape) {
    this.a = new SimLink(clock, shape, '192.0.2.1:50000', '192.0.2.2:21118');
    this.b = new SimLink(clock, shape, '192.0.2.2:21118', '192.0.2.1:50000');
    this.a.connect(this.b);
    this.b.connect(this.a);
  }

  /** Nothing arrives any more, in both directions or in one; what is sent waits. */
  silence(direction: 'both' | 'to-a' | 'to-b' = 'both'): void {
    if (direction !== 'to-b') this.a.hold();
    if (direction !== 'to-a') this.b.hold();
  }

  /** What waited arrives now. */
  restore(): void {
    this.a.release();
    this.b.release();
  }

  /** Loses what is on its way; each end notices after so many milliseconds. */
  break(noticeA = 0, noticeB = noticeA): void {
    this.a.break(noticeA);
    this.b.break(noticeB);
  }
}

class SimLink implements Link {
  readonly transport: Transport = 'tcp';
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly stats: LinkStats = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 };
  readonly #clock: Clock;
  readonly #shape: Required<SimPathShape>;
  #peer: SimLink | null = null;
  #handlers: LinkHandlers | null = null;
  #busyUntil = 0;
  #buffered = 0;
  #wantDrain = false;
  #held = false;
  #broken = false;
  #closed = false;
  #closeSent = false;
  #end: LinkClose | null = null;
  #paused = false;
  #maxPayload = Infinity;
  /** Frames (null: the orderly end) that have come, or that wait while the path is silent. */
  readonly #inbox: (Uint8Array | null)[] = [];

  constructor(clock: Clock, shape: SimPathShape, localAddress: string, remoteAddress: string) {
    this.#clock = clock;
    this.#shape = { rate: Infinity, highWater: 256 * 1024, ...shape };
    this.localAddress = localAddress;
    this.remoteAddress = remoteAddress;
  }

  connect(peer: SimLink): void {
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
    if (this.#closed || this.#closeSent) return false;
    this.stats.framesOut++;
    this.stats.bytesOut += payload.length;
    this.#leave(payload, payload.length);
    const full = this.#buffered > this.#shape.highWater;
    if (full) this.#wantDrain = true;
    return !full;
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
    if (this.#closed || this.#closeSent) return;
    this.#closeSent = true;
    this.#leave(null, 0);
    this.#finish({ by: 'local' });
  }

  destroy(error?: Error): void {
    if (this.#closed) return;
    this.#broken = true;
    const peer = this.#peer;
    if (peer && !peer.#held) this.#clock.setTimer(this.#shape.delayMs, () => peer.#finish({ by: 'error', error: new Error('reset') }));
    this.#finish(error ? { by: 'error', error } : { by: 'local' });
  }

  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.#deliver();
  }

  break(noticeMs: number): void {
    this.#broken = true;
    this.#clock.setTimer(noticeMs, () => this.#finish({ by: 'error', error: new Error('broken') }));
  }

  #leave(payload: Uint8Array | null, bytes: number): void {
    const now = this.#clock.now();
    this.#busyUntil = Math.max(this.#busyUntil, now) + bytes / this.#shape.rate;
    this.#buffered += bytes;
    const peer = this.#peer;
    this.#clock.setTimer(this.#busyUntil - now, () => {
      this.#buffered -= bytes;
      if (this.#wantDrain && this.#buffered <= this.#shape.highWater / 4 && !this.#closed) {
        this.#wantDrain = false;
        this.#handlers?.onDrain?.();
      }
    });
    this.#clock.setTimer(this.#busyUntil - now + this.#shape.delayMs, () => {
      if (!this.#broken && peer && !peer.#broken) peer.#arrive(payload);
    });
  }

  #arrive(payload: Uint8Array | null): void {
    if (this.#closed) return;
    this.#inbox.push(payload);
    this.#deliver();
  }

  #deliver(): void {
    while (this.#handlers && !this.#paused && !this.#held && !this.#closed && this.#inbox.length > 0) {
      const payload = this.#inbox.shift();
      if (payload === undefined) return;
      if (payload === null) this.#finish({ by: 'remote' });
      else if (payload.length > this.#maxPayload) this.destroy(new Error('a frame is larger than this end takes'));
      else {
        this.stats.framesIn++;
        this.stats.bytesIn += payload.length;
        this.#handlers.onFrame(payload);
      }
    }
    if (this.#end && this.#handlers) {
      const end = this.#end;
      this.#end = null;
      this.#handlers.onClose(end);
    }
  }

  #finish(close: LinkClose): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#end = close;
    this.#deliver();
  }
}
