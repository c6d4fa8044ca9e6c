/** One end of a relayed session that comes by datagrams: a stream of the same frames as over TCP (rendezvous §7.4, §10). */
import type { Clock } from '../core/clock.ts';
import { KcpEndpoint } from '../core/kcp/index.ts';
import { encodeFrame, FrameDecoder, RELAY_TRIPLE } from '../core/wire/index.ts';
import { KcpSocket } from '../net/kcp-socket.ts';
import type { EndEvents, RelayEnd } from './relay-end.ts';
import type { RelayFlow } from './relay-flow.ts';
import { handOver } from './relay-frames.ts';

export interface KcpEndOptions {
  readonly clock: Clock;
  /** Largest message that is translated for a WebSocket, bytes. */
  readonly maxMessage: number;
  /** Unsent bytes above which the other end is not read. */
  readonly maxUnsent: number;
}

/** ms that what was sent may take to be acknowledged at the end. */
const FLUSH_MS = 5_000;

export class KcpEnd implements RelayEnd {
  readonly kind = 'kcp';
  readonly host: string;
  /** KCP keeps what it was given until that is acknowledged, so it gets copies: the memory of others is free at once. */
  readonly flushed = true;
  readonly #o: KcpEndOptions;
  readonly #flow: RelayFlow;
  readonly #kcp: KcpSocket;
  #events: EndEvents | undefined;
  #decoder: FrameDecoder | null = null;
  #paused = false;
  #full = false;
  #ended = false;
  #told = false;

  constructor(flow: RelayFlow, options: KcpEndOptions) {
    const { clock } = options;
    this.#o = options;
    this.#flow = flow;
    this.host = flow.from.host;
    const endpoint = new KcpEndpoint({ role: 'acceptor', nowMs: clock.now(), conv: flow.conv, opened: RELAY_TRIPLE });
    this.#kcp = new KcpSocket(flow, endpoint, clock, {
      onReadable: () => this.#read(),
      onSent: () => this.#onSent(),
      onEnd: () => {
        this.#ended = true;
        this.#read();
      },
    });
  }

  setEvents(events: EndEvents): void {
    this.#events = events;
    // Behind what was held for the new owner, who replays it first.
    setImmediate(() => this.#read());
  }

  useFrames(): void {
    this.#flow.join();
    this.#decoder = new FrameDecoder({ maxPayload: this.#o.maxMessage });
  }

  useRaw(): void {
    this.#flow.join();
  }

  replay(data: Uint8Array): void {
    if (data.length > 0) this.#onData(data);
  }

  write(data: Uint8Array): boolean {
    this.#kcp.write(this.#decoder ? encodeFrame(data) : Uint8Array.from(data));
    this.#full ||= this.#kcp.bufferedBytes > this.#o.maxUnsent;
    return !this.#full;
  }

  /** KCP has no half: its end is the end of both directions. */
  end(): void {
    this.#kcp.end(FLUSH_MS);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#read();
  }

  destroy(): void {
    this.#kcp.destroy();
  }

  #read(): void {
    while (this.#events && !this.#paused) {
      const chunk = this.#kcp.read();
      if (!chunk) break;
      this.#onData(chunk);
    }
    if (!this.#ended || this.#told || !this.#events || this.#kcp.readable) return;
    this.#told = true;
    this.#events.onClose();
  }

  #onData(chunk: Uint8Array): void {
    if (!this.#decoder) this.#events?.onData(chunk);
    else if (!handOver(chunk, this.#decoder, this.#events)) this.destroy();
  }

  #onSent(): void {
    if (!this.#full || this.#kcp.bufferedBytes > this.#o.maxUnsent / 2) return;
    this.#full = false;
    this.#events?.onDrain();
  }
}
