import type { Clock } from '../clock.ts';
import type { ErrorData } from '../errors.ts';
import type { hbb } from '../wire/proto.ts';
import { chooseCodec, type Decoding, videoFrameMessage } from './codecs.ts';
import type { DesktopHost, Display, EncodedFrame, VideoCodec, VideoStream } from './contract.ts';
import * as limits from './limits.ts';
import { bitrateBps, type Rate } from './quality.ts';

export interface HostVideoOptions {
  desktop: DesktopHost;
  clock: Clock;
  send(message: hbb.IMessage): void;
  /** Bytes that wait in the link. */
  bufferedBytes(): number;
  /** True while the heartbeat says that what was sent has not arrived yet. */
  congested(): boolean;
  onError(error: ErrorData): void;
  /** One frame at a time, each acknowledged (session §3.6). */
  ackRequired: boolean;
}

export interface HostVideoStats {
  framesSent: number;
  framesDropped: number;
  keyFramesSent: number;
  videoBytesSent: number;
}

interface Capture {
  readonly display: number;
  stream: VideoStream | null;
  geometry: Display;
  /** Deltas are useless until the next key frame: something before them was dropped. */
  needKey: boolean;
  /** The source was told that there is no room. */
  blocked: boolean;
  awaitingAck: boolean;
  refreshedAt: number;
  cancelRefresh: (() => void) | null;
}

/** A queue of video may hold what the stream produces in this time: more is lag that never goes away by itself. */
const QUEUE_SECONDS = 0.1;
const MIN_QUEUE_BYTES = 16 * 1024;
const MAX_QUEUE_BYTES = 256 * 1024;

/**
 * The picture of one host session: a stream per captured display, and the rule that a slow link loses frames instead
 * of getting late. The source is stopped while the link is full; a delta that was lost takes all deltas up to the next
 * key frame with it, and that key frame is asked for.
 */
export class HostVideo {
  readonly stats: HostVideoStats = { framesSent: 0, framesDropped: 0, keyFramesSent: 0, videoBytesSent: 0 };
  readonly #o: HostVideoOptions;
  readonly #captures = new Map<number, Capture>();
  #decoding: Decoding | null = null;
  #codec: VideoCodec = 'vp9';
  #rate: Rate;
  #cancelPoll: (() => void) | null = null;
  #cancelAck: (() => void) | null = null;

  constructor(options: HostVideoOptions, rate: Rate) {
    this.#o = options;
    this.#rate = rate;
  }

  get codec(): VideoCodec {
    return this.#codec;
  }

  get displays(): number[] {
    return [...this.#captures.keys()];
  }

  /** Sum over all streams, bits per second. */
  get bitrateBps(): number {
    let sum = 0;
    for (const capture of this.#captures.values()) sum += this.#bitrate(capture);
    return sum;
  }

  /** Streams exactly these displays; unknown ones are left out. */
  capture(displays: readonly number[]): void {
    const known = this.#o.desktop.displays();
    const wanted = [...new Set(displays)].filter((display) => known[display]).slice(0, limits.MAX_CAPTURES);
    for (const display of this.displays) if (!wanted.includes(display)) this.#end(display);
    for (const display of wanted) {
      const geometry = known[display];
      if (geometry && !this.#captures.has(display)) this.#begin(display, geometry);
    }
  }

  /** What the viewer decodes changed; the codec follows, on a key frame (session §3.3). */
  setDecoding(decoding: Decoding | null): void {
    this.#decoding = decoding;
    const codec = chooseCodec(this.#o.desktop.codecs, this.#decoding);
    if (codec === this.#codec) return;
    this.#codec = codec;
    for (const capture of this.#captures.values()) {
      capture.needKey = true;
      capture.stream?.reconfigure({ codec, ...this.#bits(capture) });
    }
  }

  setRate(rate: Rate): void {
    const { fps, ratio, headroom } = this.#rate;
    if (rate.fps === fps && rate.ratio === ratio && rate.headroom === headroom) return;
    this.#rate = rate;
    for (const capture of this.#captures.values())
      capture.stream?.reconfigure({ maxFps: rate.fps, ...this.#bits(capture) });
  }

  /** A key frame for one display or for all; requests close together become one (session §3.5). */
  refresh(display?: number): void {
    for (const capture of this.#captures.values()) {
      if (display !== undefined && capture.display !== display) continue;
      if (capture.cancelRefresh) continue;
      const wait = capture.refreshedAt + limits.REFRESH_INTERVAL_MS - this.#o.clock.now();
      const run = (): void => {
        capture.cancelRefresh = null;
        capture.refreshedAt = this.#o.clock.now();
        capture.stream?.requestKeyFrame();
      };
      if (wait <= 0) run();
      else capture.cancelRefresh = this.#o.clock.setTimer(wait, run);
    }
  }

  /** The viewer has taken a frame (session §3.6). */
  ack(): void {
    this.#cancelAck?.();
    this.#cancelAck = null;
    for (const capture of this.#captures.values()) capture.awaitingAck = false;
    this.pump();
  }

  /** Lets sources run again where there is room. */
  pump(): void {
    for (const capture of this.#captures.values()) {
      if (!capture.blocked || capture.awaitingAck || this.#full(0.5)) continue;
      capture.blocked = false;
      if (capture.needKey) capture.stream?.requestKeyFrame();
      capture.stream?.resume();
    }
    this.#poll();
  }

  stop(): void {
    for (const display of this.displays) this.#end(display);
    this.#cancelPoll?.();
    this.#cancelPoll = null;
    this.#cancelAck?.();
    this.#cancelAck = null;
  }

  #begin(display: number, geometry: Display): void {
    const capture: Capture = {
      display,
      stream: null,
      geometry,
      needKey: true,
      blocked: false,
      awaitingAck: false,
      refreshedAt: this.#o.clock.now() - limits.REFRESH_INTERVAL_MS,
      cancelRefresh: null,
    };
    this.#captures.set(display, capture);
    try {
      capture.stream = this.#o.desktop.startVideo(
        { display, codec: this.#codec, maxFps: this.#rate.fps, ...this.#bits(capture) },
        {
          onFrame: (frame) => this.#onFrame(capture, frame),
          onGeometry: (_display, next) => this.#onGeometry(capture, next),
          onError: (error) => this.#o.onError(error),
        },
      );
    } catch (error) {
      this.#o.onError({
        code: 'CAPTURE_FAILED',
        stage: 'session',
        message: `The screen cannot be captured: ${error instanceof Error ? error.message : String(error)}.`,
        hint: 'Check on the shared computer that screen recording is allowed.',
      });
    }
  }

  #end(display: number): void {
    const capture = this.#captures.get(display);
    if (!capture) return;
    this.#captures.delete(display);
    capture.cancelRefresh?.();
    capture.stream?.stop();
  }

  #onFrame(capture: Capture, frame: EncodedFrame): boolean {
    if (this.#captures.get(capture.display) !== capture) return false;
    if (capture.needKey && !frame.key) {
      this.stats.framesDropped++;
      return !capture.blocked;
    }
    if (capture.awaitingAck || this.#full(1)) {
      this.stats.framesDropped++;
      capture.needKey = true;
      this.#block(capture);
      return false;
    }
    capture.needKey = false;
    this.#o.send(videoFrameMessage({ ...frame, display: capture.display }));
    this.stats.framesSent++;
    this.stats.videoBytesSent += frame.data.length;
    if (frame.key) this.stats.keyFramesSent++;
    if (this.#o.ackRequired) {
      capture.awaitingAck = true;
      this.#cancelAck ??= this.#o.clock.setTimer(limits.VIDEO_ACK_TIMEOUT_MS, () => this.ack());
    }
    if (!capture.awaitingAck && !this.#full(1)) return true;
    this.#block(capture);
    return false;
  }

  /** Geometry travels in the queue of the frames, so that it comes before the first frame of its size (session §3.8). */
  #onGeometry(capture: Capture, geometry: Display): void {
    if (this.#captures.get(capture.display) !== capture) return;
    capture.geometry = geometry;
    capture.needKey = true;
    this.#o.send(switchDisplayMessage(capture.display, geometry, !this.#o.desktop.watchCursor));
    capture.stream?.reconfigure(this.#bits(capture));
  }

  #block(capture: Capture): void {
    capture.blocked = true;
    this.#poll();
  }

  #poll(): void {
    const waiting = [...this.#captures.values()].some((capture) => capture.blocked && !capture.awaitingAck);
    if (!waiting || this.#cancelPoll) return;
    this.#cancelPoll = this.#o.clock.setTimer(limits.VIDEO_RESUME_POLL_MS, () => {
      this.#cancelPoll = null;
      this.pump();
    });
  }

  #full(share: number): boolean {
    if (this.#o.congested()) return true;
    const bytes = (this.bitrateBps / 8) * QUEUE_SECONDS;
    return this.#o.bufferedBytes() > Math.min(MAX_QUEUE_BYTES, Math.max(MIN_QUEUE_BYTES, bytes)) * share;
  }

  #bits(capture: Capture): { bitrateBps: number; peakBps: number } {
    const bitrate = this.#bitrate(capture);
    return { bitrateBps: bitrate, peakBps: bitrate * this.#rate.headroom };
  }

  #bitrate(capture: Capture): number {
    return bitrateBps(capture.geometry, this.#rate.ratio, this.#codec);
  }
}

/** Geometry of one display as the host announces it (session §3.8). */
export function switchDisplayMessage(
  display: number,
  geometry: Display,
  cursorEmbedded: boolean,
): hbb.IMessage {
  const { x, y, width, height } = geometry;
  return {
    misc: {
      switchDisplay: {
        display,
        x,
        y,
        width,
        height,
        cursorEmbedded,
        originalResolution: { width, height },
        resolutions: {},
      },
    },
  };
}
