/** What leaves next by the path in use: records to be repeated, then new ones of the channels in their order, while there is room. */
import type { Clock } from '../clock.ts';
import { joinParts, sendParts } from '../link.ts';
import type { Acknowledger } from './acknowledger.ts';
import type { ChannelLink } from './channel-link.ts';
import { CHANNEL } from './contract.ts';
import type { ChannelId } from './contract.ts';
import type { Path } from './multipath-path.ts';

/** The managers' few messages, then the session, then bulk. */
const ORDER: readonly ChannelId[] = [CHANNEL.paths, CHANNEL.session, CHANNEL.streams];

export class Sender {
  readonly #clock: Clock;
  readonly #channels: readonly ChannelLink[];
  readonly #acks: Acknowledger;
  readonly #active: () => Path | null;
  #running = false;
  #again = false;
  #waitingSince: number | null = null;

  constructor(clock: Clock, channels: readonly ChannelLink[], acks: Acknowledger, active: () => Path | null) {
    this.#clock = clock;
    this.#channels = channels;
    this.#acks = acks;
    this.#active = active;
  }

  /** Since when something that was sent waits for an acknowledgement without any coming; null: nothing waits. */
  get waitingSince(): number | null {
    return this.#waitingSince;
  }

  get unacknowledgedBytes(): number {
    return this.#channels.reduce((sum, { sending }) => sum + sending.keptBytes, 0);
  }

  /** Something that was waited for has come. */
  progress(now: number): void {
    this.#waitingSince = this.unacknowledgedBytes > 0 ? now : null;
  }

  /** The path is another one: what was not acknowledged leaves again. */
  rewind(): void {
    for (const { sending } of this.#channels) sending.rewind();
  }

  run(): void {
    // A path in memory delivers, and is answered, within send().
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#again) {
        this.#again = false;
        const path = this.#active();
        if (path) this.#fill(path);
        for (const channel of this.#channels) channel.drained();
      }
    } finally {
      this.#running = false;
    }
  }

  /** An answer takes the acknowledgement of what it answers with it, which else costs a seal of its own. */
  #withAcks(path: Path, parts: readonly Uint8Array[]): readonly Uint8Array[] {
    const [first, ...more] = parts;
    if (!first || more.length > 0) return parts;
    const acks = this.#acks.take(path);
    return acks ? [joinParts([acks, first])] : parts;
  }

  #fill(path: Path): void {
    const now = this.#clock.now();
    const { flow, watch } = path;
    const fragment = flow.fragmentBytes(now);
    const cap = flow.capBytes(now);
    while (path === this.#active() && !path.blocked && flow.inFlight < cap) {
      // What is queued now may never have to go by a path that is about to be left.
      if (watch.suspectSince !== null || path.link.closed) return;
      const next = ORDER.find((id) => this.#channels[id]?.sending.ready(fragment));
      const sent = next === undefined ? null : this.#channels[next]?.sending.take(fragment);
      if (!sent) {
        flow.ranDry();
        return;
      }
      sent.pathId = path.id;
      sent.mark = flow.sent(sent.length, now);
      this.#waitingSince ??= now;
      path.usedAt = now;
      watch.owe(now);
      if (!sendParts(path.link, this.#withAcks(path, sent.parts))) path.blocked = true;
    }
  }
}
