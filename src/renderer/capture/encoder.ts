/** One WebCodecs encoder with its configuration, whose pictures can be handed to whoever needs them by then. */
import { type EncoderConfig, type EncoderSettings, usableConfig } from './codecs.ts';

export class Encoder {
  readonly config: EncoderConfig;
  readonly codec: EncoderSettings['codec'];
  onChunk: (chunk: EncodedVideoChunk) => void = () => {};
  onError: (message: string) => void = () => {};
  readonly #encoder: VideoEncoder;

  private constructor(codec: EncoderSettings['codec'], config: EncoderConfig) {
    this.codec = codec;
    this.config = config;
    this.#encoder = new VideoEncoder({
      output: (chunk) => this.onChunk(chunk),
      error: (error) => this.onError(error.message),
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
    this.onChunk = () => {};
    this.onError = () => {};
    if (this.#encoder.state !== 'closed') this.#encoder.close();
  }
}
