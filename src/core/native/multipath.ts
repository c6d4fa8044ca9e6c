/**
 * A link over several paths: frames of each channel are numbered, carried by the best path, kept until they are
 * acknowledged and sent again when the path changes, so that none is lost, doubled or out of order. Without any path the
 * session waits for one. How paths are chosen: path-set.ts; records: multipath-record.ts and docs/native-link.md.
 */
import type { Clock } from '../clock.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { WireError } from '../errors.ts';
import type { Link, LinkClose, LinkHandlers, LinkStats, Transport } from '../link.ts';
import { Acknowledger } from './acknowledger.ts';
import { ChannelLink } from './channel-link.ts';
import type { Addresses, ChannelOwner } from './channel-link.ts';
import { CHANNEL } from './contract.ts';
import type { ChannelId, LinkState, MultipathChannels, PathChange, PathInfo, PathKind } from './contract.ts';
import { multipathErrors } from './multipath-errors.ts';
import {
  CLOSE_FLUSH_MS,
  CLOSED_WINDOW_BYTES,
  DARK_MS,
  LARGE_FRAGMENT,
  MAX_QUEUED_BYTES,
  MIN_FRAGMENT_BYTES,
} from './multipath-limits.ts';
import type { Path } from './multipath-path.ts';
import { CLOSE_CODE, encodeClose, readRecords } from './multipath-record.ts';
import type { RecordHandlers } from './multipath-record.ts';
import { PathMoves } from './path-moves.ts';
import { PathSet } from './path-set.ts';
import type { Role } from './path-set.ts';
import { Sender } from './sender.ts';
import { Silence } from './silence.ts';

export interface MultipathOptions {
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** The controller chooses the path, the host follows. */
  readonly role: Role;
  /** The path that the handshake came by. */
  readonly first: { readonly link: Link; readonly kind: PathKind };
  /** How long the session waits without any path, in milliseconds. */
  readonly darkMs?: number;
}

export class MultipathLink implements MultipathChannels {
  readonly #clock: Clock;
  readonly #paths: PathSet;
  readonly #channels: readonly ChannelLink[];
  readonly #session: ChannelLink;
  readonly #sender: Sender;
  readonly #moves: PathMoves;
  readonly #acks = new Acknowledger();
  readonly #readers = new WeakMap<Path, RecordHandlers>();
  readonly #stateListeners = new Set<(state: LinkState) => void>();
  #state: LinkState = 'live';
  readonly #silence: Silence;
  #addresses: Addresses;
  /** Set by close(): when it is done at the latest. */
  #closeAt = Number.POSITIVE_INFINITY;
  #ending = false;
  #ended = false;
  #cancelTimer: (() => void) | null = null;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(options: MultipathOptions) {
    const { clock, first, role, random } = options;
    this.#clock = clock;
    this.#silence = new Silence(options.darkMs ?? DARK_MS);
    this.#moves = new PathMoves(first.kind);
    const owner: ChannelOwner = {
      addresses: () => this.#addresses,
      ending: () => this.#ending,
      queued: (channel) => this.#queued(channel),
      read: (channel) => this.#read(channel),
      close: (channel) => this.#closeChannel(channel),
      destroy: (channel, error) => this.#closeChannel(channel, error, true),
    };
    this.#channels = Object.values(CHANNEL).map((id) => new ChannelLink(id, owner, CLOSED_WINDOW_BYTES));
    this.#session = this.channel(CHANNEL.session);
    this.#sender = new Sender(clock, this.#channels, this.#acks, () => this.#paths.active);
    this.#paths = new PathSet(clock, role, random, {
      onFrame: (path, frame) => this.#onFrame(path, frame),
      onRoom: () => this.#pump(),
      onMoved: (from, reason) => this.#onMoved(from, reason),
      onAnswered: () => this.#onAnswered(),
      onGone: (path, closed) => {
        this.#acks.forget(path);
        // A controller knows itself whether it is over. What closes a path by the relay may be the relay.
        if (closed && role === 'host' && (path.kind !== 'relay' || this.#paths.all.length === 0)) this.#silence.closed(this.#clock.now());
      },
    });
    const { transport, localAddress: local, remoteAddress: remote } = first.link;
    this.#addresses = { transport, local, remote };
    this.#paths.add(first.link, first.kind, clock.now(), '');
    this.#schedule();
  }

  get transport(): Transport {
    return this.#addresses.transport;
  }
  get localAddress(): string {
    return this.#addresses.local;
  }
  get remoteAddress(): string {
    return this.#addresses.remote;
  }
  get stats(): LinkStats {
    return this.#session.stats;
  }
  get bufferedBytes(): number {
    return this.#session.bufferedBytes;
  }
  get closed(): boolean {
    return this.#ending;
  }
  get state(): LinkState {
    return this.#state;
  }
  get paths(): readonly PathInfo[] {
    return this.#paths.all.map((path) => path.info(path === this.#paths.active));
  }
  /** How long the session waits without any path, in milliseconds, from now on. */
  set darkMs(ms: number) {
    this.#silence.darkMs = ms;
    this.#schedule();
  }
  /** Bytes that were sent and not acknowledged, in all channels. */
  get unacknowledgedBytes(): number {
    return this.#sender.unacknowledgedBytes;
  }

  setHandlers(handlers: LinkHandlers): void {
    this.#session.setHandlers(handlers);
  }
  send(payload: Uint8Array): boolean {
    return this.#session.send(payload);
  }
  setMaxPayload(bytes: number): void {
    this.#session.setMaxPayload(bytes);
  }
  pause(): void {
    this.#session.pause();
  }
  resume(): void {
    this.#session.resume();
  }
  close(): void {
    this.#closeChannel(this.#session);
  }
  destroy(error?: Error): void {
    this.#closeChannel(this.#session, error, true);
  }

  channel(id: ChannelId): ChannelLink {
    return this.#channels[id] as ChannelLink;
  }

  addPath(link: Link, kind: PathKind): void {
    if (this.#ending) {
      link.destroy();
      return;
    }
    const now = this.#clock.now();
    this.#silence.met();
    this.#paths.add(link, kind, now, 'a path was found');
    this.#update(now);
  }

  dropPath(id: number, reason: string): void {
    const now = this.#clock.now();
    this.#paths.drop(id, reason, now);
    this.#update(now);
  }

  preferPath(id: number | null): void {
    const now = this.#clock.now();
    this.#paths.prefer(id, now);
    this.#update(now);
  }

  onPathChange(listener: (change: PathChange) => void): () => void {
    return this.#moves.on(listener);
  }

  /** Resolves once the link has ended, however. */
  ended(): Promise<void> {
    if (this.#ended) return Promise.resolve();
    return new Promise((resolve) => this.onStateChange((state) => state === 'closed' && resolve()));
  }

  onStateChange(listener: (state: LinkState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  #queued(channel: ChannelLink): void {
    if (channel.bufferedBytes > MAX_QUEUED_BYTES) {
      this.#end({ by: 'error', error: multipathErrors.notRead() });
      return;
    }
    this.#pump();
  }

  #read(channel: ChannelLink): void {
    if (this.#ended || !channel.receiving.openWindow()) return;
    this.#acks.opened(channel, this.#clock.now());
    this.#acks.send(this.#paths.active);
  }

  #onFrame(path: Path, frame: Uint8Array): void {
    if (this.#ended) return;
    try {
      let handlers = this.#readers.get(path);
      if (!handlers) this.#readers.set(path, (handlers = this.#handlersOf(path)));
      readRecords(frame, handlers);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#end({ by: 'error', error: multipathErrors.protocol(error.message, error) });
    }
    if (this.#ended) return;
    if (this.#acks.full) this.#acks.send(this.#paths.active);
    this.#update(this.#clock.now());
  }

  #handlersOf(path: Path): RecordHandlers {
    return {
      onData: (id, sequence, more, bytes) => this.#onData(path, id, sequence, more, bytes),
      onAck: (id, sequence, limit) => this.#onAck(path, id, sequence, limit),
      onPing: (nonce) => this.#paths.ping(path, nonce),
      onPong: (nonce) => this.#paths.pong(path, nonce, this.#clock.now()),
      onUse: () => this.#paths.told(path, this.#clock.now()),
      onClose: (code, reason) =>
        this.#end(
          code === CLOSE_CODE.done
            ? { by: 'remote' }
            : { by: 'error', error: multipathErrors.closedByPeer(reason.replace(/[^\x20-\x7e]/g, '?')) },
        ),
    };
  }

  #onData(path: Path, id: number, sequence: number, more: boolean, bytes: Uint8Array): void {
    const channel = this.#channels[id];
    // A later version may have more channels; nothing of ours is in them.
    if (!channel) return;
    path.usedAt = this.#clock.now();
    if (bytes.length >= MIN_FRAGMENT_BYTES) path.bulkAt = path.usedAt;
    if (bytes.length >= LARGE_FRAGMENT.bytes) path.transferAt = path.usedAt;
    // Noted first: what is delivered may make the reader end everything.
    this.#acks.came(channel, path, bytes.length, path.usedAt);
    const accepted = channel.receiving.accept(sequence, more, bytes);
    if (accepted === 'new' || accepted === 'duplicate') {
      if (!this.#ended && channel.receiving.openWindow()) this.#acks.opened(channel, path.usedAt);
      return;
    }
    this.#end({ by: 'error', error: multipathErrors.protocol(FAULTS[accepted]) });
  }

  #onAck(path: Path, id: number, sequence: number, limit: number): void {
    const channel = this.#channels[id];
    if (!channel) return;
    const now = this.#clock.now();
    let progress = false;
    const known = channel.sending.acknowledge(sequence, limit, (sent) => {
      progress = true;
      const carrier = this.#paths.find(sent.pathId);
      if (carrier && sent.mark) carrier.flow.acknowledged(sent.length, sent.mark, now, carrier === path);
    });
    if (!known) {
      this.#end({ by: 'error', error: multipathErrors.protocol('what was never sent was acknowledged') });
      return;
    }
    if (!progress) return;
    path.watch.progress(now, path.flow.inFlight > 0);
    if (path === this.#paths.active) this.#arrived(now);
    this.#sender.progress(now);
  }

  /** The path that carries the session has carried something to the other end. */
  #arrived(now: number): void {
    this.#moves.arrived(this.#sender.waitingSince === null ? 0 : Math.round(now - this.#sender.waitingSince));
  }

  #onAnswered(): void {
    if (this.#sender.waitingSince === null) this.#arrived(this.#clock.now());
  }

  #onMoved(from: Path | null, reason: string): void {
    const { active } = this.#paths;
    this.#sender.rewind();
    // The first path of all is no move.
    if (from || this.#moves.pending) this.#moves.moved(active?.kind ?? null, reason);
    if (!active) return;
    const { transport, localAddress: local, remoteAddress: remote } = active.link;
    this.#addresses = { transport, local, remote };
    this.#pump();
  }

  #pump(): void {
    if (this.#ended) return;
    this.#sender.run();
    this.#schedule();
  }

  #tick(): void {
    this.#cancelTimer = null;
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.now();
    if (now >= this.#acks.dueAt) this.#acks.send(this.#paths.active);
    this.#paths.tick(now);
    this.#update(now);
  }

  /** Brings the state up to date after anything has happened. */
  #update(now: number): void {
    if (this.#ended) return;
    this.#pump();
    if (this.#ended) return;
    const { silent, all } = this.#paths;
    this.#silence.look(this.#paths, this.#sender.waitingSince ?? now);
    if (now >= this.#silence.endsAt) {
      this.#end({ by: 'error', error: multipathErrors.lost(this.#silence.allowedMs) });
      return;
    }
    if (this.#ending && (this.#channels.every(({ sending }) => sending.empty) || now >= this.#closeAt)) {
      this.#end({ by: 'local' });
      return;
    }
    const searching = silent && (all.length === 0 || now >= this.#silence.searchAt);
    this.#setState(searching ? 'searching' : 'live');
    this.#schedule();
  }

  #setState(state: LinkState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of [...this.#stateListeners]) listener(state);
  }

  #schedule(): void {
    if (this.#ended) return;
    const now = this.#clock.now();
    let at = Math.min(this.#acks.dueAt, this.#closeAt, this.#paths.nextAt(now), this.#silence.endsAt);
    if (this.#state === 'live') at = Math.min(at, this.#silence.searchAt);
    // A timer that fires early looks again; only an earlier one has to replace it.
    if (at >= this.#timerAt || at === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer?.();
    this.#timerAt = at;
    this.#cancelTimer = this.#clock.setTimer(Math.max(0, at - now), () => this.#tick());
  }

  #closeChannel(channel: ChannelLink, error?: Error, atOnce = false): void {
    if (channel !== this.#session) {
      // The other channels end for their user only; the session goes on.
      channel.ended(error ? { by: 'error', error } : { by: 'local' });
      channel.receiving.discard();
      this.#read(channel);
      return;
    }
    if (this.#ended) return;
    if (atOnce) {
      this.#end(error ? { by: 'error', error } : { by: 'local' }, error?.message ?? 'cut off');
      return;
    }
    if (this.#ending) return;
    this.#ending = true;
    const now = this.#clock.now();
    this.#closeAt = now + CLOSE_FLUSH_MS;
    this.#update(now);
  }

  /** `failed`: what the other end is told when this end has not said everything. */
  #end(close: LinkClose, failed?: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#ending = true;
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    const unsent = this.#channels.some(({ sending }) => !sending.empty);
    const reason = failed ?? (close.by === 'error' ? close.error?.message : unsent ? 'not everything could be sent' : undefined);
    if (close.by !== 'remote') {
      const record = encodeClose(reason === undefined ? CLOSE_CODE.done : CLOSE_CODE.failed, reason ?? '');
      for (const { link } of this.#paths.all) link.send(record);
    }
    this.#paths.closeAll();
    for (const { sending } of this.#channels) sending.clear();
    this.#setState('closed');
    // The session last: its user may take the end of it for the end of everything.
    for (const channel of this.#channels) if (channel !== this.#session) channel.ended(close);
    this.#session.ended(close);
  }
}

const FAULTS = {
  gap: 'a part of a channel is missing',
  flood: 'it sent more than it may',
  'too-large': 'a frame is larger than this end takes',
} as const;
