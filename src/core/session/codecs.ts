import { hbb } from '../wire/proto.ts';
import type { EncodedFrame, VideoCodec } from './contract.ts';

/** What a viewer says it can decode (session §3.3). */
export interface Decoding {
  vp8: boolean;
  vp9: boolean;
  av1: boolean;
  h264: boolean;
  h265?: boolean;
  prefer?: VideoCodec;
}

const PREFER: Record<VideoCodec, hbb.SupportedDecoding.PreferCodec> = {
  vp9: hbb.SupportedDecoding.PreferCodec.VP9,
  h264: hbb.SupportedDecoding.PreferCodec.H264,
  h265: hbb.SupportedDecoding.PreferCodec.H265,
  vp8: hbb.SupportedDecoding.PreferCodec.VP8,
  av1: hbb.SupportedDecoding.PreferCodec.AV1,
};

export function encodeDecoding(decoding: Decoding): hbb.ISupportedDecoding {
  return {
    abilityVp8: decoding.vp8 ? 1 : 0,
    abilityVp9: decoding.vp9 ? 1 : 0,
    abilityAv1: decoding.av1 ? 1 : 0,
    abilityH264: decoding.h264 ? 1 : 0,
    abilityH265: decoding.h265 ? 1 : 0,
    prefer: decoding.prefer ? PREFER[decoding.prefer] : hbb.SupportedDecoding.PreferCodec.Auto,
  };
}

export function decodeDecoding(message: hbb.ISupportedDecoding): Decoding {
  const prefer = (Object.keys(PREFER) as VideoCodec[]).find((codec) => PREFER[codec] === message.prefer);
  return {
    vp8: (message.abilityVp8 ?? 0) > 0,
    vp9: (message.abilityVp9 ?? 0) > 0,
    av1: (message.abilityAv1 ?? 0) > 0,
    h264: (message.abilityH264 ?? 0) > 0,
    h265: (message.abilityH265 ?? 0) > 0,
    prefer,
  };
}

/**
 * The codec for one viewer (session §3.3): its preference if both sides have it, else the first of the host's list
 * (the host lists what it prefers first) that the viewer decodes, else VP9, which every viewer is taken to have.
 */
export function chooseCodec(host: readonly VideoCodec[], decoding: Decoding | null): VideoCodec {
  if (!decoding) return 'vp9';
  const usable = host.filter((codec) => codec === 'vp9' || decoding[codec]);
  if (decoding.prefer && usable.includes(decoding.prefer)) return decoding.prefer;
  return usable[0] ?? 'vp9';
}

/** What the host can encode, for PeerInfo (session §1.4: no bit for VP9). */
export function supportedEncoding(codecs: readonly VideoCodec[]): hbb.ISupportedEncoding {
  return {
    h264: codecs.includes('h264'),
    h265: codecs.includes('h265'),
    vp8: codecs.includes('vp8'),
    av1: codecs.includes('av1'),
  };
}

const FIELD = { vp8: 'vp8s', vp9: 'vp9s', av1: 'av1s', h264: 'h264s', h265: 'h265s' } as const;

export function videoFrameMessage(frame: EncodedFrame): hbb.IMessage {
  const frames: hbb.IEncodedVideoFrames = {
    frames: [{ data: frame.data, key: frame.key, pts: BigInt(Math.max(0, Math.round(frame.ptsMs))) }],
  };
  return { videoFrame: { display: frame.display, [FIELD[frame.codec]]: frames } };
}

/** All pictures of one message; empty for the retired raw formats (session §3.1). */
export function readVideoFrame(message: hbb.IVideoFrame): EncodedFrame[] {
  const display = message.display ?? 0;
  for (const codec of Object.keys(FIELD) as VideoCodec[]) {
    const frames = message[FIELD[codec]]?.frames;
    if (frames)
      return frames.map((frame) => ({
        display,
        codec,
        key: frame.key ?? false,
        ptsMs: Number(frame.pts ?? 0n),
        data: frame.data ?? new Uint8Array(),
      }));
  }
  return [];
}
