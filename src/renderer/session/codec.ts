import type { SessionPortMessage } from '../../shared/ipc.ts';

export type Codec = Extract<SessionPortMessage, { type: 'video' }>['codec'];

/** What `VideoDecoder` is asked about before there is a picture (session §3.2). */
export const PROBE_CODECS: Readonly<Record<Codec, string>> = {
  vp8: 'vp8',
  vp9: 'vp09.00.10.08',
  av1: 'av01.0.08M.08',
  h264: 'avc1.640033',
  h265: 'hev1.1.6.L120.90',
};

/**
 * The WebCodecs string for a stream that starts with this key frame: profile and level are in the bits themselves, as
 * nothing else announces them (session §3.3).
 */
export function codecString(codec: Codec, keyFrame: Uint8Array): string {
  switch (codec) {
    case 'vp9':
      return vp9Profile(keyFrame) === 1 ? 'vp09.01.10.08' : PROBE_CODECS.vp9;
    case 'av1':
      return av1Profile(keyFrame) === 1 ? 'av01.1.08M.08' : PROBE_CODECS.av1;
    case 'h264':
      return h264Codec(keyFrame) ?? PROBE_CODECS.h264;
    default:
      return PROBE_CODECS[codec];
  }
}

/**
 * Whether a decoder set up for `config` takes a stream of `wanted` as it is: each level of H.264 holds those below it, and the
 * parameter sets in the stream tell the rest.
 */
export function coversCodec(config: string, wanted: string): boolean {
  if (config === wanted) return true;
  const [ours, theirs] = [config, wanted].map((text) => /^avc1\.([0-9A-F]{2})[0-9A-F]{2}([0-9A-F]{2})$/.exec(text));
  return ours?.[1] !== undefined && ours[1] === theirs?.[1] && Number.parseInt(ours[2] ?? '', 16) >= Number.parseInt(theirs[2] ?? '', 16);
}

/** Uncompressed header of VP9: frame marker `10`, then the low and the high bit of the profile. */
function vp9Profile(data: Uint8Array): number {
  const first = data[0] ?? 0;
  return ((first >> 5) & 1) | ((first >> 3) & 2);
}

/** The sequence header (OBU type 1) begins with three bits of profile; a temporal delimiter usually stands before it. */
function av1Profile(data: Uint8Array): number {
  let at = 0;
  for (let obus = 0; obus < 4 && at < data.length; obus++) {
    const header = data[at] ?? 0;
    const type = (header >> 3) & 15;
    at += (header & 4) !== 0 ? 2 : 1;
    if ((header & 2) === 0) return type === 1 ? (data[at] ?? 0) >> 5 : 0;
    let size = 0;
    for (let i = 0; i < 4; i++) {
      const byte = data[at++] ?? 0;
      size |= (byte & 0x7f) << (7 * i);
      if ((byte & 0x80) === 0) break;
    }
    if (type === 1) return (data[at] ?? 0) >> 5;
    at += size;
  }
  return 0;
}

/** Parameter sets stand in front of the picture; further in there is nothing to find. */
const H264_SEARCH_BYTES = 512;

/** Profile, constraints and level of the SPS (NAL type 7) in Annex B. */
function h264Codec(data: Uint8Array): string | null {
  const end = Math.min(data.length - 6, H264_SEARCH_BYTES);
  for (let i = 0; i < end; i++) {
    if (data[i] !== 0 || data[i + 1] !== 0 || data[i + 2] !== 1) continue;
    if (((data[i + 3] ?? 0) & 31) !== 7) continue;
    const hex = [...data.subarray(i + 4, i + 7)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return `avc1.${hex.toUpperCase()}`;
  }
  return null;
}
