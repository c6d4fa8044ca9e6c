/** One channel of a link over several paths, as a link of its own. */
import type { Link, LinkClose, LinkHandlers, LinkStats, Transport } from '../link.ts';
import { CHANNEL_MARKS } from './multipath-limits.ts';
import { ReceiveChannel } from './receive-channel.ts';
import { SendChannel } from './send-channel.ts';

export interface Addresses {
  readonly transport: Transport;
  readonly local: string;
  readonly remote: string;
}

/** What the channels need of the link that they are part of. */
export interface ChannelOwner {
  /** Of the path that carries the session. */
  addresses(): Addresses;
  /** Frames are taken no more. */
  ending(): boolean;
  /** Something waits in that channel. */
  queued(channel: ChannelLink): void;
  /** The reader has taken something: more may come. */
  read(channel: ChannelLink): void;
  /** The channel carries the session: what ends it ends all. */
  close(channel: ChannelLink): void;
  destroy(channel: ChannelLink, error?: Error): void;
}

export class ChannelLink implements Link {
  readonly sending: SendChannel;
  readonly receiving: ReceiveChannel;
  readonly stats: LinkStats = { framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 };
  readonly #owner: ChannelOwner;
  #handlers: LinkHandlers | null = null;
  #wantDrain = false;
  #closed = false;
  #close: LinkClose | null = null;

  constructor(id: number, owner: ChannelOwner, firstLimit: number) {
    this.#owner = owner;
    this.sending = new SendChannel(id, firstLimit);
    this.receiving = new ReceiveChannel(id);
  }

  get transport(): Transport {
    return this.#owner.addresses().transport;
  }
  get localAddress(): string {
    return this.#owner.addresses().local;
  }
  get remoteAddress(): string {
    return this.#owner.addresses().remote;
  }
  get bufferedBytes(): number {
    return this.sending.queuedBytes;
  }
  get closed(): boolean {
    return this.#closed || this.#owner.ending();
  }

  setHandlers(handlers: LinkHandlers): void {
    this.#handlers = handlers;
    this.receiving.setReader((frame) => this.#onFrame(frame));
    this.#owner.read(this);
    // Never from within this call: whoever installs handlers is not ready for them yet.
    if (this.#close) queueMicrotask(() => this.#endWhenRead());
  }

  send(payload: Uint8Array): boolean {
    return this.sendParts([payload]);
  }

  sendParts(parts: readonly Uint8Array[], owned = false): boolean {
    if (this.closed) return false;
    this.stats.framesOut++;
    for (const part of parts) this.stats.bytesOut += part.length;
    this.sending.push(parts, owned);
    this.#owner.queued(this);
    const full = this.bufferedBytes > CHANNEL_MARKS.high;
    if (full) this.#wantDrain = true;
    return !full;
  }

  setMaxPayload(bytes: number): void {
    this.receiving.maxPayload = bytes;
    this.#owner.read(this);
  }

  pause(): void {
    this.receiving.pause();
  }

  resume(): void {
    this.receiving.resume();
    this.#owner.read(this);
    this.#endWhenRead();
  }

  close(): void {
    if (!this.#closed) this.#owner.close(this);
  }

  destroy(error?: Error): void {
    if (!this.#closed) this.#owner.destroy(this, error);
  }

  /** Tells the sender that there is room again. */
  drained(): void {
    if (!this.#wantDrain || this.bufferedBytes > CHANNEL_MARKS.low || this.closed) return;
    this.#wantDrain = false;
    this.#handlers?.onDrain?.();
  }

  /** The link has ended. What came before the end is still delivered, unless it was ended here. */
  ended(close: LinkClose): void {
    if (this.#close || this.#closed) return;
    this.#close = close;
    if (close.by === 'local') this.receiving.discard();
    this.#endWhenRead();
  }

  #endWhenRead(): void {
    const close = this.#close;
    if (!close || !this.#handlers || this.#closed || this.receiving.waiting > 0) return;
    this.#closed = true;
    this.#handlers.onClose(close);
  }

  #onFrame(frame: Uint8Array): void {
    this.stats.framesIn++;
    this.stats.bytesIn += frame.length;
    this.#handlers?.onFrame(frame);
  }
}
