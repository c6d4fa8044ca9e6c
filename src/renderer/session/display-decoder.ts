import { type Codec, codecString, coversCodec, PROBE_CODECS } from './codec.ts';

/** The part of `VideoDecoder` used here; tests bring their own. */
export interface DecoderLike {
  readonly decodeQueueSize: number;
  readonly state: string;
  configure(config: VideoDecoderConfig): void;
  decode(chunk: EncodedVideoChunk): void;
  close(): void;
}

export interface DecoderFactory {
  decoder(init: VideoDecoderInit): DecoderLike;
  chunk(init: EncodedVideoChunkInit): EncodedVideoChunk;
  /** Milliseconds, monotonic. */
  now(): number;
}

const WEB_CODECS: DecoderFactory = {
  decoder: (init) => new VideoDecoder(init),
  chunk: (init) => new EncodedVideoChunk(init),
  now: () => performance.now(),
};

export interface DecoderEvents {
  /** The receiver closes the frame. */
  onFrame(frame: VideoFrame): void;
  /** A key frame is needed (session §3.5). */
  onRefresh(): void;
  /** The codec cannot be decoded here at all. */
  onUnsupported(codec: Codec): void;
}

/** Chunks waiting in the decoder before we rather drop to the next key frame than show the past: one second at 30 fps. */
export const MAX_DECODE_QUEUE = 30;
/** While a key frame is awaited the host is asked again at this pace; hosts limit it to about 200 ms themselves. */
export const REFRESH_INTERVAL_MS = 500;
/** Failures in a row, without one picture, after which the codec counts as not decodable here (session §3.1). */
export const MAX_FAILURES = 3;

/**
 * How hosts turn the screen into YUV (session §3.2). VP8 and VP9 streams do not say so, and the browser would take HD
 * for BT.709, which shifts every colour; where a stream says it, its word counts.
 */
export const HOST_COLORS: VideoColorSpaceInit = {
  primaries: 'smpte170m',
  transfer: 'smpte170m',
  matrix: 'smpte170m',
  fullRange: false,
};

export interface Picture {
  codec: Codec;
  key: boolean;
  data: ArrayBuffer;
}

/** One decoder for one display (session §3.1). Starts at a key frame and comes back with one after every trouble. */
export class DisplayDecoder {
  readonly #make: DecoderFactory;
  readonly #events: DecoderEvents;
  #decoder: DecoderLike | null = null;
  #codec: Codec | null = null;
  #config = '';
  /** Set up before there was a picture, and has had none yet. */
  #idle = false;
  #needKey = true;
  #timestamp = 0;
  #failures = 0;
  #refreshAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(events: DecoderEvents, make: DecoderFactory = WEB_CODECS) {
    this.#events = events;
    this.#make = make;
  }

  /** Sets a decoder up before there is a picture: the browser takes longer over that than over decoding the first one. */
  prepare(codec: Codec): void {
    if (this.#closed || this.#decoder !== null) return;
    this.#idle = this.#open(PROBE_CODECS[codec]);
    if (!this.#idle) this.#drop();
  }

  /** Takes one encoded picture. */
  push(picture: Picture): void {
    if (this.#closed) return;
    if (picture.codec !== this.#codec) this.#needKey = true;
    if (!picture.key && this.#overfull()) {
      this.#drop();
      return;
    }
    if (this.#needKey && !picture.key) {
      this.#refresh();
      return;
    }
    if (picture.key && !this.#begin(picture)) return;
    this.#timestamp += 1;
    try {
      this.#decoder?.decode(
        this.#make.chunk({
          type: picture.key ? 'key' : 'delta',
          // Pictures are shown as they come: the time only has to rise (session §3.1).
          timestamp: this.#timestamp,
          data: picture.data,
        }),
      );
    } catch {
      this.#failed();
    }
  }

  /** The geometry changed: what comes next starts with a key frame (session §3.8). */
  reset(): void {
    this.#drop();
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  #overfull(): boolean {
    return (this.#decoder?.decodeQueueSize ?? 0) >= MAX_DECODE_QUEUE;
  }

  /** Makes the decoder fit the key frame; false when that cannot be done. */
  #begin(picture: Picture): boolean {
    const config = codecString(picture.codec, new Uint8Array(picture.data));
    this.#codec = picture.codec;
    const usable = this.#decoder !== null && this.#decoder.state === 'configured' && !this.#overfull();
    if (!usable || !coversCodec(this.#config, config)) {
      this.#drop();
      if (!this.#open(config)) {
        this.#failed();
        return false;
      }
    }
    this.#idle = false;
    this.#needKey = false;
    return true;
  }

  /** A new decoder; false when there is none for this codec. */
  #open(config: string): boolean {
    try {
      const decoder = this.#make.decoder({
        output: (frame) => {
          if (decoder !== this.#decoder) {
            frame.close();
            return;
          }
          this.#failures = 0;
          this.#events.onFrame(frame);
        },
        error: () => {
          if (decoder !== this.#decoder) return;
          // Browsers take back a decoder that has had nothing to do; the first picture gets another.
          if (this.#idle) this.#drop();
          else this.#failed();
        },
      });
      this.#decoder = decoder;
      this.#config = config;
      decoder.configure({ codec: config, optimizeForLatency: true, colorSpace: HOST_COLORS });
      return true;
    } catch {
      return false;
    }
  }

  #failed(): void {
    const codec = this.#codec;
    this.#drop();
    this.#failures += 1;
    if (this.#failures === MAX_FAILURES && codec !== null) this.#events.onUnsupported(codec);
    this.#refresh();
  }

  #drop(): void {
    const decoder = this.#decoder;
    this.#decoder = null;
    this.#idle = false;
    this.#needKey = true;
    if (decoder !== null && decoder.state !== 'closed') decoder.close();
  }

  #refresh(): void {
    const now = this.#make.now();
    if (now - this.#refreshAt < REFRESH_INTERVAL_MS) return;
    this.#refreshAt = now;
    this.#events.onRefresh();
  }
}
