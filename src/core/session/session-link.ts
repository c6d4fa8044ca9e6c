import type { Clock } from '../clock.ts';
import { WireError } from '../errors.ts';
import type { Link, LinkClose } from '../link.ts';
import { decodeMessage, encodeMessage, type hbb } from '../wire/proto.ts';
import { WriteWatch } from './write-watch.ts';

export interface SessionLinkHandlers {
  onMessage(message: hbb.Message): void;
  onDrain?(): void;
  onClose(close: LinkClose): void;
}

/** Session messages over a link, and how long the peer has been silent or has not read. */
export class SessionLink {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #watch: WriteWatch;
  #receivedAt = 0;

  constructor(link: Link, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
    this.#watch = new WriteWatch(link);
  }

  /** Begins to hear. Frames that do not parse are skipped, as stock peers do (session §9.1). */
  open({ onMessage, onDrain, onClose }: SessionLinkHandlers): void {
    this.#receivedAt = this.#clock.now();
    this.#link.setHandlers({
      onFrame: (payload) => {
        this.#receivedAt = this.#clock.now();
        const message = parse(payload);
        if (message) onMessage(message);
      },
      ...(onDrain ? { onDrain } : {}),
      onClose,
    });
  }

  get bufferedBytes(): number {
    return this.#link.bufferedBytes;
  }

  setMaxPayload(bytes: number): void {
    this.#link.setMaxPayload(bytes);
  }

  /** Ignored once the link is closed. */
  send(message: hbb.IMessage): void {
    if (this.#link.closed) return;
    const bytes = encodeMessage(message);
    this.#watch.sent(bytes.length);
    this.#link.send(bytes);
  }

  /** ms since the last frame, or since it was opened. */
  silentMs(now: number): number {
    return now - this.#receivedAt;
  }

  /** ms without progress while something waits to be sent. */
  stalledMs(now: number): number {
    return this.#watch.stalledMs(now);
  }

  /** In order, or at once: a silent or stalled peer would keep an orderly close waiting. */
  end(atOnce: boolean): void {
    if (atOnce) this.#link.destroy();
    else this.#link.close();
  }
}

function parse(payload: Uint8Array): hbb.Message | null {
  try {
    return decodeMessage(payload);
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
