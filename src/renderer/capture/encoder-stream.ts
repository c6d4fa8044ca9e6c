/** One viewer's stream: the newest picture, encoded when the viewer has room, at its frame rate and bit rate. */
import type { CaptureMessage } from '../../shared/capture-schemas.ts';
import type { Codec, EncoderSettings } from './codecs.ts';
import { Encoder, PRIMED_BELOW_US } from './encoder.ts';
import { Pacer } from './pacer.ts';
import type { ScreenListener, ScreenSource } from './screen-source.ts';

/** Pictures that are encoded or on their way to the main process and not taken there. More would be lag. */
const MAX_OUTSTANDING = 2;
/**
 * Encoded in a hurry, a picture that then stands still is blurred: it is sent again at these times, each time sharper. Not in
 * H.264, whose encoder leaves out whatever did not change.
 */
const REFINE_AFTER_MS = [120, 300, 700] as const;
/** A smaller picture than this was a small change, which is sharp at once. */
const REFINE_FROM_BYTES = 3_000;

export interface StreamRequest {
  readonly stream: number;
  readonly display: number;
  codec: Codec;
  maxFps: number;
  bitrateBps: number;
  peakBps: number;
}

export class EncoderStream implements ScreenListener {
  readonly #request: StreamRequest;
  readonly #source: ScreenSource;
  readonly #send: (message: CaptureMessage) => void;
  readonly #pacer: Pacer;
  readonly #startedAt = performance.now();
  #encoder: Encoder | null = null;
  /** Made beforehand; used if it turns out to fit. */
  #ready: Encoder | null;
  #configuring = false;
  #stale = true;
  #needKey = true;
  #outstanding = 0;
  /** Number of the picture that was encoded last. */
  #shown = 0;
  #refined = 0;
  #lastBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastTimestampUs = PRIMED_BELOW_US - 1;
  #closed = false;

  constructor(request: StreamRequest, source: ScreenSource, ready: Encoder | null, send: (message: CaptureMessage) => void) {
    this.#ready = ready;
    this.#request = { ...request };
    this.#source = source;
    this.#send = send;
    this.#pacer = new Pacer(request.maxFps, request.peakBps);
    source.add(this);
    this.#pump();
  }

  onPicture(): void {
    this.#refined = 0;
    this.#pump();
  }

  onEnd(message: string): void {
    this.#fail(message);
  }

  requestKeyFrame(): void {
    this.#needKey = true;
    this.#pump();
  }

  reconfigure(change: Partial<Pick<StreamRequest, 'codec' | 'maxFps' | 'bitrateBps' | 'peakBps'>>): void {
    const { codec: oldCodec, bitrateBps: oldBitrate, maxFps: oldFps } = this.#request;
    Object.assign(this.#request, JSON.parse(JSON.stringify(change)));
    const { codec, maxFps, bitrateBps, peakBps } = this.#request;
    this.#pacer.configure(maxFps, peakBps);
    if (codec !== oldCodec) this.#needKey = true;
    if (codec !== oldCodec || bitrateBps !== oldBitrate || maxFps !== oldFps) this.#stale = true;
    this.#pump();
  }

  /** The main process has taken one picture and has room for another. */
  taken(): void {
    this.#outstanding = Math.max(0, this.#outstanding - 1);
    this.#pump();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#source.remove(this);
    this.#encoder?.close();
    this.#ready?.close();
  }

  #fail(message: string): void {
    if (this.#closed) return;
    this.close();
    this.#send({ type: 'error', stream: this.#request.stream, message });
  }

  /** Encodes the newest picture if there is reason and room; else sees to it that it is tried again. */
  #pump(): void {
    clearTimeout(this.#timer);
    const picture = this.#source.picture;
    if (this.#closed || !picture || this.#outstanding >= MAX_OUTSTANDING) return;
    const changed = this.#source.count !== this.#shown;
    if (!changed && !this.#needKey) {
      if (this.#encoder?.codec === 'h264') return;
      const last = REFINE_AFTER_MS[this.#refined - 1] ?? 0;
      const next = REFINE_AFTER_MS[this.#refined];
      if (next !== undefined && this.#lastBytes >= REFINE_FROM_BYTES)
        this.#timer = setTimeout(() => {
          this.#refined++;
          this.#encodeNow();
        }, next - last);
      return;
    }
    const waitMs = this.#pacer.waitMs(performance.now());
    if (waitMs > 0) this.#timer = setTimeout(() => this.#pump(), waitMs);
    else this.#encodeNow();
  }

  #encodeNow(): void {
    const picture = this.#source.picture;
    if (this.#closed || !picture) return;
    const settings = this.#settings(picture);
    if (this.#stale || !this.#encoder?.fits(settings)) {
      void this.#configure(settings);
      return;
    }
    const encoder = this.#encoder;
    const key = this.#needKey;
    this.#needKey = false;
    this.#shown = this.#source.count;
    this.#outstanding++;
    this.#pacer.encoding(performance.now());
    // Timestamps must rise, also when one picture is encoded twice.
    const timestamp = Math.max(this.#lastTimestampUs + 1, Math.round((performance.now() - this.#startedAt) * 1000));
    this.#lastTimestampUs = timestamp;
    const frame = new VideoFrame(picture, { timestamp });
    encoder.encode(frame, key);
    frame.close();
    this.#pump();
  }

  #settings(picture: VideoFrame): EncoderSettings {
    const { codec, bitrateBps, maxFps } = this.#request;
    return { codec, width: picture.displayWidth, height: picture.displayHeight, bitrateBps, maxFps };
  }

  async #configure(settings: EncoderSettings): Promise<void> {
    if (this.#configuring) return;
    this.#configuring = true;
    this.#stale = false;
    try {
      if (this.#encoder?.fits(settings)) await this.#encoder.retune(settings);
      else await this.#replace(settings);
      if (this.#closed) return;
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
      return;
    } finally {
      this.#configuring = false;
    }
    this.#pump();
  }

  async #replace(settings: EncoderSettings): Promise<void> {
    const ready = this.#ready;
    this.#ready = null;
    this.#encoder?.close();
    this.#encoder = null;
    // Pictures in the old encoder never come out.
    this.#outstanding = 0;
    this.#needKey = true;
    let encoder: Encoder;
    let first: EncodedVideoChunk | null = null;
    const { count } = this.#source;
    if (ready?.fits(settings)) {
      // Its bit rate is about right and becomes exact with the next change; tuning it now would delay the first picture.
      encoder = ready;
      first = this.#source.isCurrent ? await ready.takePrimed(this.#source.mark) : null;
    } else {
      ready?.close();
      encoder = await Encoder.create(settings);
    }
    if (this.#closed) return encoder.close();
    encoder.onChunk = (chunk) => this.#output(chunk, encoder);
    encoder.onError = (message) => this.#fail(message);
    this.#encoder = encoder;
    if (!first) return;
    this.#needKey = false;
    this.#shown = count;
    this.#outstanding++;
    this.#output(first, encoder);
  }

  #output(chunk: EncodedVideoChunk, encoder: Encoder): void {
    if (this.#closed) return;
    const data = new ArrayBuffer(chunk.byteLength);
    chunk.copyTo(data);
    this.#pacer.encoded(performance.now(), data.byteLength);
    this.#lastBytes = data.byteLength;
    this.#send({
      type: 'frame',
      stream: this.#request.stream,
      codec: encoder.codec,
      key: chunk.type === 'key',
      ptsMs: chunk.timestamp / 1000,
      width: encoder.config.width,
      height: encoder.config.height,
      data,
    });
  }
}
