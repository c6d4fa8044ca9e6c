/** One viewer's stream: the newest picture, encoded when the viewer has room, at its frame rate and bit rate. */
import type { CaptureMessage } from '../../shared/schemas.ts';
import type { Codec } from './codecs.ts';
import { usableConfig } from './codecs.ts';
import { Pacer } from './pacer.ts';
import type { ScreenListener, ScreenSource } from './screen-source.ts';

/** Pictures that are encoded or on their way to the main process and not taken there. More would be lag. */
const MAX_OUTSTANDING = 2;
/** Encoded in a hurry, a picture that then stands still is blurred: it is sent again at these times, each time sharper. */
const REFINE_AFTER_MS = [120, 300, 700] as const;
/** A smaller picture than this was a small change, which is sharp at once. */
const REFINE_FROM_BYTES = 3_000;

export interface StreamRequest {
  readonly stream: number;
  readonly display: number;
  codec: Codec;
  maxFps: number;
  bitrateBps: number;
}

export class EncoderStream implements ScreenListener {
  readonly #request: StreamRequest;
  readonly #source: ScreenSource;
  readonly #send: (message: CaptureMessage) => void;
  readonly #pacer: Pacer;
  readonly #startedAt = performance.now();
  #encoder: VideoEncoder | null = null;
  #config: VideoEncoderConfig | null = null;
  #configuring = false;
  #stale = true;
  #needKey = true;
  #outstanding = 0;
  /** Number of the picture that was encoded last. */
  #shown = 0;
  #refined = 0;
  #lastBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lastTimestampUs = -1;
  #closed = false;

  constructor(request: StreamRequest, source: ScreenSource, send: (message: CaptureMessage) => void) {
    this.#request = { ...request };
    this.#source = source;
    this.#send = send;
    this.#pacer = new Pacer(request.maxFps, request.bitrateBps);
    source.add(this, request.maxFps);
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

  reconfigure(change: Partial<Pick<StreamRequest, 'codec' | 'maxFps' | 'bitrateBps'>>): void {
    const codecChanged = change.codec !== undefined && change.codec !== this.#request.codec;
    Object.assign(this.#request, JSON.parse(JSON.stringify(change)));
    const { maxFps, bitrateBps } = this.#request;
    this.#pacer.configure(maxFps, bitrateBps);
    this.#source.add(this, maxFps);
    if (codecChanged) this.#needKey = true;
    this.#stale = true;
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
    if (this.#encoder && this.#encoder.state !== 'closed') this.#encoder.close();
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
    const { displayWidth: width, displayHeight: height } = picture;
    const resized = !this.#config || (this.#config.width | 1) !== (width | 1) || (this.#config.height | 1) !== (height | 1);
    if (this.#stale || resized) {
      if (resized) this.#needKey = true;
      void this.#configure(width, height);
      return;
    }
    const encoder = this.#encoder;
    if (!encoder) return;
    const key = this.#needKey;
    this.#needKey = false;
    this.#shown = this.#source.count;
    this.#outstanding++;
    this.#pacer.encoding(performance.now());
    // Timestamps must rise, also when one picture is encoded twice.
    const timestamp = Math.max(this.#lastTimestampUs + 1, Math.round((performance.now() - this.#startedAt) * 1000));
    this.#lastTimestampUs = timestamp;
    const frame = new VideoFrame(picture, { timestamp });
    encoder.encode(frame, { keyFrame: key });
    frame.close();
    this.#pump();
  }

  async #configure(width: number, height: number): Promise<void> {
    if (this.#configuring) return;
    this.#configuring = true;
    this.#stale = false;
    try {
      const { codec, bitrateBps, maxFps } = this.#request;
      const config = await usableConfig({ codec, width, height, bitrateBps, maxFps, content: 'text' });
      if (this.#closed) return;
      if (!config) throw new Error(`this computer cannot encode ${codec} at ${width}×${height}`);
      const same = this.#config?.codec === config.codec && this.#config.width === config.width && this.#config.height === config.height;
      if (!same || !this.#encoder) {
        if (this.#encoder && this.#encoder.state !== 'closed') this.#encoder.close();
        // Pictures in the old encoder never come out.
        this.#outstanding = 0;
        this.#encoder = new VideoEncoder({
          output: (chunk) => this.#output(chunk, codec, config),
          error: (error) => this.#fail(error.message),
        });
        this.#needKey = true;
      }
      this.#config = config;
      this.#encoder.configure(config);
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
      return;
    } finally {
      this.#configuring = false;
    }
    this.#encodeNow();
  }

  #output(chunk: EncodedVideoChunk, codec: Codec, config: VideoEncoderConfig): void {
    if (this.#closed) return;
    const data = new ArrayBuffer(chunk.byteLength);
    chunk.copyTo(data);
    this.#pacer.encoded(performance.now(), data.byteLength);
    this.#lastBytes = data.byteLength;
    this.#send({
      type: 'frame',
      stream: this.#request.stream,
      codec,
      key: chunk.type === 'key',
      ptsMs: chunk.timestamp / 1000,
      width: config.width,
      height: config.height,
      data,
    });
  }
}
