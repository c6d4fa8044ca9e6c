import type { Size, VideoCodec } from './contract.ts';
import { SLOW_ECHO_MS } from './limits.ts';

/** Ratios of the quality settings (session §3.7). */
export const QUALITY = { low: 0.5, balanced: 0.67, best: 1.5 } as const;

/** Below this text in motion stops being readable; only an unanswered heartbeat goes lower. */
export const MIN_FPS = 10;
/** Frames per second while the peer does not answer (session §3.7). */
const STALLED_FPS = 2;
const START_FPS = 24;
const DEFAULT_MAX_FPS = 30;
/** Floor of the bitrate ratio: at 1920×1080 about 400 kbit/s, enough for text that scrolls at 10 fps. */
const MIN_RATIO = 0.2;
/** More delay than this above the path's own means that something queues. */
const QUEUED_MS = 50;
/** Buffers below the link hold at most this much video time before the source is stopped. */
const LATE_MS = 700;
/** The smallest delay of the last two minutes counts as the path's own: paths change while a session lasts. */
const BASE_SAMPLES = 120;
const RATIO_INTERVAL_MS = 3_000;
/** While nothing queues in the path, frames are not held back for what the encoder overshot. */
const FREE_HEADROOM = 6;

// base bitrates in kbit/s by pixels (session §3.7)
const BASES: readonly (readonly [pixels: number, kbps: number])[] = [
  [0, 0],
  [1280 * 720, 1000],
  [1920 * 1080, 2073],
  [2560 * 1440, 3000],
  [3840 * 2160, 5000],
];

/** Bitrate in kbit/s at ratio 1, linear in pixels between the known sizes. */
export function baseBitrate(size: Size): number {
  const pixels = Math.max(0, size.width * size.height);
  for (let index = 1; index < BASES.length; index++) {
    const [lowPixels, low] = BASES[index - 1] ?? [0, 0];
    const [highPixels, high] = BASES[index] ?? [1, 1];
    if (pixels <= highPixels || index === BASES.length - 1)
      return low + ((high - low) * (pixels - lowPixels)) / (highPixels - lowPixels);
  }
  return 0;
}

/** Bits per second for one display. Codecs that need more bits for the same picture get more (session §3.7). */
export function bitrateBps(size: Size, ratio: number, codec: VideoCodec): number {
  const factor = codec === 'h264' ? 1.6 : codec === 'h265' ? 1.2 : 1;
  return Math.round(Math.max(64, baseBitrate(size) * ratio * factor) * 1000);
}

/** The ratio of `custom_image_quality` as it is on the wire: percent shifted left by eight (session §3.4). */
export function customRatio(wire: number): number {
  return Math.min(40, Math.max(0.2, (2 * (wire >> 8)) / 100));
}

/** What a session does to its streams at the moment. */
export interface Rate {
  fps: number;
  ratio: number;
  /** How many times the bit rate may really be spent for a moment that needs it: encoders overshoot when text scrolls. */
  headroom: number;
}

/**
 * Rate control from the heartbeat's round-trip times (session §3.7): the echo waits in the same queue as the video, so
 * a queue that fills shows as delay above the smallest one seen.
 */
export class RateControl {
  #maxFps = DEFAULT_MAX_FPS;
  #wantedRatio: number = QUALITY.balanced;
  #fps = START_FPS;
  #ratio: number = QUALITY.balanced;
  #base = Number.POSITIVE_INFINITY;
  #samples: number[] = [];
  #history: number[] = [];
  #good = 0;
  #stalled = false;
  /** Nothing queued when it was last measured. */
  #free = true;
  #ratioAt = 0;

  get rate(): Rate {
    return {
      fps: this.#stalled ? Math.min(STALLED_FPS, this.#maxFps) : Math.min(this.#fps, this.#maxFps),
      ratio: this.#ratio,
      headroom: this.#free ? FREE_HEADROOM : 1,
    };
  }

  /** Cap asked for by the viewer, 1…120. */
  setMaxFps(fps: number): void {
    this.#maxFps = Math.min(120, Math.max(1, Math.round(fps)));
    this.#fps = Math.min(Math.max(this.#fps, Math.min(MIN_FPS, this.#maxFps)), this.#maxFps);
  }

  /** Quality asked for by the viewer; takes effect at once and is the ceiling from then on. */
  setRatio(ratio: number): void {
    this.#wantedRatio = ratio;
    this.#ratio = ratio;
  }

  /** True when an echo is overdue by so much that more video would only wait; false again once a stall is certain. */
  late(waitingMs: number): boolean {
    const base = Number.isFinite(this.#base) ? this.#base : 300;
    return waitingMs > base + LATE_MS && waitingMs <= SLOW_ECHO_MS;
  }

  /** A heartbeat is unanswered since `ms`. */
  waiting(ms: number): void {
    if (ms > SLOW_ECHO_MS) this.#stalled = true;
    if (ms > this.#base + QUEUED_MS) this.#free = false;
  }

  /** The link had no path for a while: what was measured across the gap says nothing about the one it has now. */
  resumed(): void {
    this.#stalled = false;
    this.#free = true;
    this.#samples = [];
  }

  /** An echo came back after `ms`; `nowMs` from the clock. */
  sample(ms: number, nowMs: number): void {
    this.#stalled = false;
    this.#history = [...this.#history.slice(1 - BASE_SAMPLES), ms];
    this.#base = Math.min(...this.#history);
    this.#samples = [...this.#samples.slice(-2), ms];
    const mean = this.#samples.reduce((sum, value) => sum + value, 0) / this.#samples.length;
    const delay = Math.max(0, mean - this.#base);
    const floor = Math.min(MIN_FPS, this.#maxFps);
    this.#free = delay < QUEUED_MS;
    if (this.#free) {
      this.#good++;
      this.#fps += this.#good >= 3 ? 5 : 1;
    } else {
      this.#good = 0;
      if (delay > 150) this.#fps = Math.floor((this.#fps * 150) / delay);
    }
    this.#fps = Math.min(this.#maxFps, Math.max(floor, this.#fps));
    if (nowMs - this.#ratioAt < RATIO_INTERVAL_MS) return;
    this.#ratioAt = nowMs;
    const factor =
      delay < QUEUED_MS
        ? 1.15
        : delay < 100
          ? 1.1
          : delay < 150
            ? 1.05
            : delay < 200
              ? 0.95
              : delay < 300
                ? 0.9
                : delay < 500
                  ? 0.85
                  : 0.8;
    this.#ratio = Math.min(
      this.#wantedRatio,
      Math.max(Math.min(MIN_RATIO, this.#wantedRatio), this.#ratio * factor),
    );
  }
}
