/** Encoder settings for the codecs of the wire (session §3.2). */
export type Codec = 'vp8' | 'vp9' | 'av1' | 'h264';

/** Most preferred first: H.264 takes the least time per picture in software, which leaves room for the frame rate. */
export const CODECS: readonly Codec[] = ['h264', 'vp9', 'av1', 'vp8'];

/** Macroblocks of 1920×1088: up to here level 4.0 does, above 5.1. */
const LEVEL_4_PIXELS = 1920 * 1088;

/** Codec strings to try, best first. */
function names(codec: Codec, pixels: number): string[] {
  const large = pixels > LEVEL_4_PIXELS;
  switch (codec) {
    case 'vp8':
      return ['vp8'];
    case 'vp9':
      return [large ? 'vp09.00.51.08' : 'vp09.00.40.08'];
    case 'av1':
      return [large ? 'av01.0.13M.08' : 'av01.0.08M.08'];
    case 'h264':
      return large ? ['avc1.640033', 'avc1.42E033'] : ['avc1.640028', 'avc1.42E028'];
  }
}

export interface EncoderSettings {
  readonly codec: Codec;
  readonly width: number;
  readonly height: number;
  readonly bitrateBps: number;
  readonly maxFps: number;
}

/** `contentHint` is newer than the type library. */
export type EncoderConfig = VideoEncoderConfig & { contentHint?: string };

/** Every configuration worth trying for these settings, best first. */
function encoderConfigs(settings: EncoderSettings): EncoderConfig[] {
  // H.264 codes whole pairs of pixels; the encoder scales the one odd line away.
  const even = (n: number): number => (settings.codec === 'h264' ? n & ~1 : n);
  return names(settings.codec, settings.width * settings.height).map((codec) => ({
    codec,
    width: even(settings.width),
    height: even(settings.height),
    bitrate: Math.round(settings.bitrateBps),
    framerate: settings.maxFps,
    latencyMode: 'realtime',
    bitrateMode: 'constant',
    // As text, H.264 codes scrolling and motion both faster; the others lose a third of their frame rate in motion.
    ...(settings.codec === 'h264' ? { contentHint: 'text' } : {}),
    ...(settings.codec === 'h264' ? { avc: { format: 'annexb' as const } } : {}),
  }));
}

/** Codec strings that were tried with success: asking again would delay the first picture of a session. */
const tried = new Set<string>();

/** The first configuration that this machine can encode; null for none. */
export async function usableConfig(settings: EncoderSettings): Promise<EncoderConfig | null> {
  for (const config of encoderConfigs(settings)) {
    if (tried.has(config.codec)) return config;
    const { supported } = await VideoEncoder.isConfigSupported(config);
    if (!supported) continue;
    tried.add(config.codec);
    return config;
  }
  return null;
}

/** What this machine can encode, most preferred first. */
export async function usableCodecs(): Promise<Codec[]> {
  const usable: Codec[] = [];
  for (const codec of CODECS) {
    const settings: EncoderSettings = { codec, width: 1280, height: 720, bitrateBps: 1e6, maxFps: 30 };
    if (await usableConfig(settings)) usable.push(codec);
  }
  return usable;
}
