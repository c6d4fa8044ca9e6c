import type { hbb } from '../wire/proto.ts';
import type { VideoCodec } from './contract.ts';
import type { RemoteDisplay, RemoteInfo } from './controller-types.ts';
import { MAX_DISPLAYS, NAME_LENGTH } from './limits.ts';

/** Largest picture side that is believed. */
const MAX_SIDE = 16_384;
/** Virtual desktops do not reach further than this from their origin. */
const MAX_OFFSET = 1_000_000;

/** PeerInfo of a login, parsed once and bounded (session §2.9). */
export function readRemoteInfo(message: hbb.IPeerInfo): RemoteInfo {
  const displays = readDisplays(message);
  const current = message.currentDisplay ?? 0;
  const encoding: VideoCodec[] = ['vp9'];
  if (message.encoding?.vp8) encoding.push('vp8');
  if (message.encoding?.av1) encoding.push('av1');
  if (message.encoding?.h264) encoding.push('h264');
  if (message.encoding?.h265) encoding.push('h265');
  return {
    username: name(message.username),
    hostname: name(message.hostname),
    platform: name(message.platform),
    version: name(message.version),
    displays,
    currentDisplay: displays[current] ? current : 0,
    sasEnabled: message.sasEnabled ?? false,
    encoding,
  };
}

export function readDisplays(message: hbb.IPeerInfo): RemoteDisplay[] {
  return (message.displays ?? []).slice(0, MAX_DISPLAYS).map((display) => ({
    x: offset(display.x),
    y: offset(display.y),
    width: side(display.width),
    height: side(display.height),
    name: name(display.name),
    scale: scale(display.scale),
    cursorEmbedded: display.cursorEmbedded ?? false,
  }));
}

/** New geometry of a display; its name and scale stay. Null when it makes no sense. */
export function readSwitchDisplay(message: hbb.ISwitchDisplay, known?: RemoteDisplay): RemoteDisplay | null {
  const width = side(message.width);
  const height = side(message.height);
  if (width === 0 || height === 0) return null;
  return {
    x: offset(message.x),
    y: offset(message.y),
    width,
    height,
    name: known?.name ?? '',
    scale: known?.scale ?? 1,
    cursorEmbedded: message.cursorEmbedded ?? false,
  };
}

function name(text: string | null | undefined): string {
  return (text ?? '').slice(0, NAME_LENGTH);
}

function side(value: number | null | undefined): number {
  return Math.max(0, Math.min(MAX_SIDE, value ?? 0));
}

function offset(value: number | null | undefined): number {
  return Math.max(-MAX_OFFSET, Math.min(MAX_OFFSET, value ?? 0));
}

/** Up to 1 means 1 (session §2.9). */
function scale(value: number | null | undefined): number {
  return value !== undefined && value !== null && value > 1 && value <= 16 ? value : 1;
}

/**
 * A place inside the picture of a display as the host counts it, or null for a display that there is not. Clamped to the last
 * pixel, or one beyond on Windows; a Linux host counts in unscaled pixels (session §2.9, §4.1).
 */
export function placeOn(
  info: RemoteInfo,
  display: number,
  x: number,
  y: number,
): { x: number; y: number } | null {
  const place = info.displays[display];
  if (!place) return null;
  const scale = info.platform === 'Linux' && place.scale > 1 ? place.scale : 1;
  const edge = info.platform === 'Windows' ? 0 : 1;
  const clamp = (value: number, size: number): number => Math.max(0, Math.min(size - edge, value));
  return {
    x: place.x + clamp(x / scale, place.width / scale),
    y: place.y + clamp(y / scale, place.height / scale),
  };
}
