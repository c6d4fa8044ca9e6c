/**
 * Many virtual streams over one link (docs/tunnels.md). Opening costs no round trip, a reader that stands still stops its
 * own stream only, and the memory that unread bytes can take is bounded by credit, whatever the other end does.
 */
import type { Clock } from '../clock.ts';
import { Emitter } from '../emitter.ts';
import { WireError } from '../errors.ts';
import type { Link } from '../link.ts';
import { type StreamCode, StreamResetError } from './codes.ts';
import type { MuxEnd, MuxStats, MuxStream } from './contract.ts';
import { decodeFrame, encodeFrame, GROUP_VERSION, MUX_VERSION, type MuxFrame } from './frame.ts';
import * as limits from './limits.ts';
import { OpenLimiter } from './open-limiter.ts';
import { Pulse } from './pulse.ts';
import { StreamEnd, type StreamOwner } from './stream.ts';
import { formatTarget, type StreamTarget } from './target.ts';
import { GrowthBudget } from './window.ts';
import { type AfterTurn, FairWriter } from './writer.ts';

export interface MuxOptions {
  /** Taken over with its handlers, and closed with the mux. Trusted to be in order and without loss, and nothing else. */
  readonly link: Link;
  readonly clock: Clock;
  /** The side that connected opens streams with odd numbers. */
  readonly role: 'connecting' | 'accepting';
  /** Takes a stream that the other side opened, at once or later; without it all are refused. */
  readonly onStream?: (stream: MuxStream) => void;
  readonly limits?: Partial<limits.MuxLimits>;
  /** As setImmediate: small frames of one turn of the event loop then share a frame of the link. Absent: each leaves at once. */
  readonly afterTurn?: AfterTurn;
}

interface MuxEvents {
  /** The other end broke a rule; the stream or the mux ends for it. For the log. */
  violation: { readonly streamId: number | null; readonly reason: string };
  /** Exactly once, last. */
  closed: MuxEnd;
}

export class Mux extends Emitter<MuxEvents> {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #limits: limits.MuxLimits;
  readonly #onStream: ((stream: MuxStream) => void) | null;
  readonly #writer: FairWriter;
  readonly #pulse: Pulse;
  readonly #opens: OpenLimiter;
  readonly #growth = new GrowthBudget();
  readonly #owner: StreamOwner;
  readonly #streams = new Map<number, StreamEnd>();
  #incoming = 0;
  #nextId: number;
  #lastIncomingId = 0;
  #greeted = false;
  #end: MuxEnd | null = null;
  #cancelCongested: (() => void) | null = null;
  /** Credit for the link that the other end has not used, and what it will get with the next frame about it. */
  #granted = limits.LINK_CREDIT;
  #returned = 0;
  #stats = { opened: 0, refused: 0, bytesIn: 0, bytesOut: 0, unread: 0, unreadPeak: 0, unsent: 0, unsentPeak: 0 };

  constructor(options: MuxOptions) {
    super();
    this.#link = options.link;
    this.#clock = options.clock;
    this.#limits = { ...limits.DEFAULT_LIMITS, ...options.limits };
    this.#onStream = options.onStream ?? null;
    this.#nextId = options.role === 'connecting' ? 1 : 2;
    this.#opens = new OpenLimiter(this.#clock.now(), this.#limits);
    const flooded = (): void => this.#violation(null, 'it makes us answer, but does not read the answers');
    this.#writer = new FairWriter(this.#link, this.#clock, flooded, options.afterTurn ?? null);
    this.#pulse = new Pulse(this.#clock, this.#limits.deadMs, {
      // Right behind it something leaves, or nothing moves and it has time.
      ping: (nonce) => this.#writer.withNext(encodeFrame({ type: 'ping', nonce })),
      dead: () => this.#finish({ by: 'link', code: 'timeout', reason: 'nothing came from the other side for too long' }),
    });
    this.#owner = {
      growth: this.#growth,
      now: () => this.#clock.now(),
      rttMs: () => this.#pulse.rttMs ?? 0,
      crowded: () => this.#stats.unsent > limits.MUX_QUEUE_HIGH,
      unsent: (change) => {
        const s = this.#stats;
        s.unsent += change;
        if (change > 0) s.bytesOut += change;
        s.unsentPeak = Math.max(s.unsentPeak, s.unsent);
      },
      ready: (stream) => {
        this.#pulse.active();
        this.#writer.ready(stream);
      },
      control: (frame) => this.#writer.control(frame),
      withNext: (frame) => this.#writer.withNext(frame),
      consumed: (bytes) => this.#consumed(bytes),
      over: (stream) => this.#over(stream),
    };
    this.#link.setMaxPayload(limits.MAX_LINK_PAYLOAD_BYTES);
    // Past the queue: it says whether the other end may group, and so stands in no group.
    this.#link.send(encodeFrame({ type: 'hello', version: MUX_VERSION }));
    this.#link.setHandlers({
      onFrame: (payload) => this.#onPayload(payload),
      onDrain: () => this.#writer.drained(),
      onClose: ({ by, error }) =>
        this.#finish({
          by: 'link',
          code: 'link-lost',
          reason: error?.message ?? (by === 'remote' ? 'the other side closed the connection' : 'the connection is closed'),
        }),
    });
  }

  /** Set once the mux is over. */
  get end(): MuxEnd | null {
    return this.#end;
  }

  /** All streams that are open now. */
  get streams(): Iterable<MuxStream> {
    return this.#streams.values();
  }

  get stats(): MuxStats {
    const s = this.#stats;
    return {
      streams: this.#streams.size,
      streamsOpened: s.opened,
      streamsRefused: s.refused,
      bytesIn: s.bytesIn,
      bytesOut: s.bytesOut,
      unreadBytes: s.unread,
      unreadPeakBytes: s.unreadPeak,
      unsentBytes: s.unsent,
      unsentPeakBytes: s.unsentPeak,
      rttMs: this.#pulse.rttMs,
    };
  }

  /**
   * Opens a stream; data may be written at once. Throws StreamResetError (`link-lost` when the mux is over, `too-many-streams`)
   * and WireError BAD_TARGET.
   */
  open(target: StreamTarget): MuxStream {
    if (this.#end) throw new StreamResetError('link-lost', this.#end.reason, 'link');
    const outgoing = this.#streams.size - this.#incoming;
    if (outgoing >= this.#limits.maxStreams || this.#nextId > 0xffff_fff0)
      throw new StreamResetError('too-many-streams', `${outgoing} streams are open`, 'local');
    const frame = encodeFrame({ type: 'open', id: this.#nextId, target });
    const stream = new StreamEnd(this.#owner, this.#nextId, target, false);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    this.#stats.opened++;
    this.#pulse.active();
    this.#writer.opening(frame);
    return stream;
  }

  /** Ends all streams and the link, and tells the other side why. */
  close(code: StreamCode = 'shutting-down', reason = ''): void {
    this.#finish({ by: 'local', code, reason });
  }

  #onPayload(payload: Uint8Array): void {
    if (this.#end) return;
    this.#pulse.heard();
    let frame: MuxFrame | null;
    try {
      frame = decodeFrame(payload);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      return this.#violation(null, error.message);
    }
    if (!frame) return;
    if (!this.#greeted && frame.type !== 'hello' && frame.type !== 'goaway')
      return this.#violation(null, `${frame.type} before hello`);
    this.#onFrame(frame);
  }

  #onFrame(frame: MuxFrame): void {
    switch (frame.type) {
      case 'hello':
        if (this.#greeted) return this.#violation(null, 'a second hello');
        this.#greeted = true;
        // Later versions must be able to speak the ones before.
        if (frame.version < 1) this.#violation(null, `version ${frame.version}`);
        this.#writer.grouping = frame.version >= GROUP_VERSION;
        return;
      case 'group':
        for (const each of frame.frames) this.#onPayload(each);
        return;
      case 'open':
        return this.#onOpen(frame.id, frame.target);
      case 'opened':
        return this.#stream(frame.id)?.onOpened(frame.address);
      case 'data':
        return this.#onData(frame.id, frame.bytes);
      case 'close': {
        const stream = this.#stream(frame.id);
        if (stream?.remoteFinished) this.#violation(stream, 'closed twice');
        else stream?.onFinished();
        return;
      }
      case 'reset':
        this.#stream(frame.id)?.onReset(new StreamResetError(frame.code, frame.reason, 'remote'));
        return;
      case 'credit': {
        if (frame.id === 0) {
          if (!this.#writer.addCredit(frame.bytes)) this.#violation(null, 'more credit for the link than there is');
          return;
        }
        const stream = this.#stream(frame.id);
        if (stream && !stream.onCredit(frame.bytes)) this.#violation(stream, 'more credit than there is', 'flow-control');
        return;
      }
      case 'ping':
        this.#writer.control(encodeFrame({ type: 'pong', nonce: frame.nonce }));
        return;
      case 'pong':
        return this.#pulse.answered(frame.nonce);
      case 'goaway':
        return this.#finish({ by: 'remote', code: frame.code, reason: frame.reason });
    }
  }

  /** The stream of that number; undefined for one that is over. A number that never was ends the mux. */
  #stream(id: number): StreamEnd | undefined {
    const stream = this.#streams.get(id);
    if (!stream) {
      const own = id % 2 === this.#nextId % 2;
      if (own ? id >= this.#nextId : id > this.#lastIncomingId) this.#violation(null, `stream ${id} was never opened`);
    }
    return stream;
  }

  #onOpen(id: number, target: StreamTarget | null): void {
    if (id % 2 === this.#nextId % 2 || id <= this.#lastIncomingId)
      return this.#violation(null, `stream ${id} cannot be opened by the other side now`);
    this.#lastIncomingId = id;
    const opens = this.#opens.open(this.#clock.now());
    if (opens === 'flood') return this.#violation(null, 'a flood of streams', 'too-many-opens');
    if (opens === 'refuse') return this.#refuse(id, 'too-many-opens', `more than ${this.#limits.opensPerSecond} a second`);
    if (this.#incoming >= this.#limits.maxStreams)
      return this.#refuse(id, 'too-many-streams', `${this.#incoming} streams are open`);
    if (!target) return this.#refuse(id, 'target-invalid', 'the target cannot be read');
    if (!this.#onStream) return this.#refuse(id, 'refused-by-rule', 'nothing can be reached here');
    const stream = new StreamEnd(this.#owner, id, target, true);
    this.#streams.set(id, stream);
    this.#incoming++;
    this.#stats.opened++;
    this.#pulse.active();
    this.#onStream(stream);
  }

  #refuse(id: number, code: StreamCode, reason: string): void {
    this.#stats.refused++;
    this.#writer.control(encodeFrame({ type: 'reset', id, code, reason }));
  }

  #onData(id: number, bytes: Uint8Array): void {
    this.#granted -= bytes.length;
    if (this.#granted < 0) return this.#violation(null, 'more data than there was credit for on the link', 'flow-control');
    this.#pulse.active();
    const stream = this.#stream(id);
    if (this.#end) return;
    const s = this.#stats;
    s.bytesIn += bytes.length;
    s.unread += bytes.length;
    s.unreadPeak = Math.max(s.unreadPeak, s.unread);
    if (!stream) return this.#consumed(bytes.length);
    if (stream.remoteFinished) {
      this.#consumed(bytes.length);
      return this.#violation(stream, 'data after close');
    }
    if (!stream.onData(bytes)) {
      this.#consumed(bytes.length);
      return this.#violation(stream, 'more data than there was credit for', 'flow-control');
    }
    if (this.#granted + this.#returned < limits.LINK_CREDIT_LOW) this.#watchCongestion();
  }

  /** Bytes left the memory of this end: the other end gets them back as credit for the link, in larger pieces. */
  #consumed(bytes: number): void {
    this.#stats.unread -= bytes;
    this.#returned += bytes;
    if (this.#end || this.#returned < limits.LINK_CREDIT / 16) return;
    this.#granted += this.#returned;
    const credit = this.#returned;
    this.#returned = 0;
    this.#writer.control(encodeFrame({ type: 'credit', id: 0, bytes: credit }));
  }

  /** Streams that nobody reads have taken nearly all there is: those give way, so that the others can go on. */
  #watchCongestion(): void {
    this.#cancelCongested ??= this.#clock.setTimer(limits.CONGESTED_MS, () => {
      this.#cancelCongested = null;
      const now = this.#clock.now();
      while (this.#granted + this.#returned < limits.LINK_CREDIT_LOW) {
        let worst: StreamEnd | null = null;
        for (const stream of this.#streams.values())
          if (now - stream.readAtMs >= limits.CONGESTED_MS && stream.unreadBytes > (worst?.unreadBytes ?? 0)) worst = stream;
        // All are being read: it is only slow.
        if (!worst) break;
        worst.reset('overloaded', 'nobody reads it, and the others need the room');
      }
      if (!this.#end && this.#granted + this.#returned < limits.LINK_CREDIT_LOW) this.#watchCongestion();
    });
  }

  #over(stream: StreamEnd): void {
    if (!this.#streams.delete(stream.id)) return;
    if (stream.incoming) this.#incoming--;
    this.#writer.forget(stream);
  }

  #violation(stream: StreamEnd | null, reason: string, code: StreamCode = 'protocol'): void {
    if (this.#end) return;
    this.emit('violation', {
      streamId: stream?.id ?? null,
      reason: stream ? `${reason} (${formatTarget(stream.target)})` : reason,
    });
    if (stream) stream.reset(code, reason);
    else this.#finish({ by: 'local', code, reason });
  }

  #finish(end: MuxEnd): void {
    if (this.#end) return;
    this.#end = end;
    // Past the queue: it may be what is too long.
    if (end.by === 'local' && !this.#link.closed) {
      this.#writer.pump();
      this.#link.send(encodeFrame({ type: 'goaway', code: end.code, reason: end.reason }));
    }
    this.#pulse.stop();
    this.#cancelCongested?.();
    this.#cancelCongested = null;
    this.#writer.stop();
    for (const stream of [...this.#streams.values()])
      stream.onReset(new StreamResetError(end.by === 'link' ? 'link-lost' : end.code, end.reason, end.by));
    if (end.code === 'timeout') this.#link.destroy();
    else this.#link.close();
    this.emit('closed', end);
  }
}
