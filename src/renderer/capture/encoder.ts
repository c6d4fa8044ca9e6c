/** One WebCodecs encoder with its configuration, whose pictures can be handed to whoever needs them by then. */
import { type EncoderConfig, type EncoderSettings, usableConfig } from './codecs.ts';

/** Timestamps below this one, in µs, are of pictures encoded beforehand. */
export const PRIMED_BELOW_US = 1_000_000;

interface Primed {
  /** Of which picture. */
  readonly mark: string;
  /** Null where the encoder failed. */
  readonly chunk: Promise<EncodedVideoChunk | null>;
}

export class Encoder {
  readonly config: EncoderConfig;
  readonly codec: EncoderSettings['codec'];
  onChunk: (chunk: EncodedVideoChunk) => void = () => {};
  onError: (message: string) => void = () => {};
  readonly #encoder: VideoEncoder;
  #primed: Primed | null = null;
  #primedUs = 0;
  #onPrimed: (chunk: EncodedVideoChunk | null) => void = () => {};

  private constructor(codec: EncoderSettings['codec'], config: EncoderConfig) {
    this.codec = codec;
    this.config = config;
    this.#encoder = new VideoEncoder({
      output: (chunk) => {
        if (chunk.timestamp >= PRIMED_BELOW_US) this.onChunk(chunk);
        else if (chunk.timestamp === this.#primedUs) this.#onPrimed(chunk);
      },
      error: (error) => {
        this.#onPrimed(null);
        this.onError(error.message);
      },
    });
    this.#encoder.configure(config);
  }

  /** An encoder for these settings. @throws when this machine has none */
  static async create(settings: EncoderSettings): Promise<Encoder> {
    const config = await usableConfig(settings);
    if (!config) throw new Error(`this computer cannot encode ${settings.codec} at ${settings.width}×${settings.height}`);
    return new Encoder(settings.codec, config);
  }

  /**
   * An encoder that has one black picture behind it: the first one costs an encoder its set-up, some 100 ms at 1080p, which
   * a viewer need not wait for.
   */
  static async createWarm(settings: EncoderSettings): Promise<Encoder> {
    const encoder = await Encoder.create(settings);
    const { width, height } = encoder.config;
    const black = new Uint8Array(width * height + 2 * Math.ceil(width / 2) * Math.ceil(height / 2));
    const frame = new VideoFrame(black, { format: 'I420', codedWidth: width, codedHeight: height, timestamp: 0 });
    encoder.encode(frame, true);
    frame.close();
    return encoder;
  }

  /** Encodes a picture before anybody is there to see it. `mark` stands for it in `takePrimed`. */
  prime(picture: VideoFrame, mark: string): void {
    if (this.#encoder.state !== 'configured' || this.#primed?.mark === mark) return;
    this.#primedUs++;
    this.#primed = { mark, chunk: new Promise((resolve) => (this.#onPrimed = resolve)) };
    const frame = new VideoFrame(picture, { timestamp: this.#primedUs });
    this.#encoder.encode(frame, { keyFrame: true });
    frame.close();
  }

  /** The key frame of that picture, if it is what was encoded last; what is encoded next goes on from there. */
  async takePrimed(mark: string): Promise<EncodedVideoChunk | null> {
    const primed = this.#primed;
    this.#primed = null;
    return primed?.mark === mark ? await primed.chunk : null;
  }

  /** Whether it can take such pictures; one that failed or was taken back by the browser while it was idle cannot. */
  fits(settings: EncoderSettings): boolean {
    if (this.#encoder.state !== 'configured' || this.codec !== settings.codec) return false;
    // Some codecs leave out one odd line.
    const samePairs = (a: number, b: number): boolean => a >> 1 === b >> 1;
    return samePairs(this.config.width, settings.width) && samePairs(this.config.height, settings.height);
  }

  /** Changes bit rate and frame rate; the pictures go on without a key frame. */
  async retune(settings: EncoderSettings): Promise<void> {
    const config = await usableConfig(settings);
    if (config && this.#encoder.state === 'configured') this.#encoder.configure({ ...config, width: this.config.width, height: this.config.height });
  }

  encode(frame: VideoFrame, keyFrame: boolean): void {
    this.#encoder.encode(frame, { keyFrame });
  }

  /** Pictures that are inside never come out. */
  close(): void {
    this.#onPrimed(null);
    this.onChunk = () => {};
    this.onError = () => {};
    if (this.#encoder.state !== 'closed') this.#encoder.close();
  }
}
