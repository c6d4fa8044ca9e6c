/** When a receiver says what has come, and by which path: after some bytes or milliseconds, by the way that the last of it came. */
import type { ChannelLink } from './channel-link.ts';
import { ACK_BYTES, ACK_DELAY_MS } from './multipath-limits.ts';
import type { Path } from './multipath-path.ts';
import { ACK_BYTES_ON_WIRE, writeAck } from './multipath-record.ts';

export class Acknowledger {
  readonly #channels = new Set<ChannelLink>();
  #path: Path | null = null;
  #bytes = 0;
  #dueAt = Number.POSITIVE_INFINITY;

  /** When the next one is due; Infinity: nothing is to be said. */
  get dueAt(): number {
    return this.#dueAt;
  }

  /** So much has come that the sender should know now. */
  get full(): boolean {
    return this.#bytes >= ACK_BYTES;
  }

  /** Something came in that channel by that path. */
  came(channel: ChannelLink, path: Path, bytes: number, now: number): void {
    this.#channels.add(channel);
    this.#path = path;
    this.#bytes += bytes;
    this.#dueAt = Math.min(this.#dueAt, now + ACK_DELAY_MS);
  }

  /** The window of that channel has moved by so much that a sender may wait for it. */
  opened(channel: ChannelLink, now: number): void {
    this.#channels.add(channel);
    this.#dueAt = now;
  }

  /** That path is gone. */
  forget(path: Path): void {
    if (this.#path === path) this.#path = null;
  }

  /** Says it, over `active` where the path of the data is gone. */
  send(active: Path | null): void {
    const path = this.#path ?? active;
    const record = path && this.take(path);
    this.#rest();
    if (record) path.link.send(record);
  }

  /** What is to be said over that path, to leave with something else; null: nothing. */
  take(path: Path): Uint8Array | null {
    if (this.#channels.size === 0 || (this.#path ?? path) !== path) return null;
    const record = new Uint8Array(ACK_BYTES_ON_WIRE * this.#channels.size);
    let at = 0;
    for (const { receiving } of this.#channels) {
      writeAck(record, at, receiving.id, receiving.expected, receiving.advertise());
      at += ACK_BYTES_ON_WIRE;
    }
    this.#channels.clear();
    this.#rest();
    return record;
  }

  #rest(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#bytes = 0;
  }
}
