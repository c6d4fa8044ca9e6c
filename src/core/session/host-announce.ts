import { hbb } from '../wire/proto.ts';
import { supportedEncoding } from './codecs.ts';
import type { DesktopHost, Display, PlatformName, SessionPermissions } from './contract.ts';

const P = hbb.PermissionInfo.Permission;
const PERMISSIONS: Record<keyof SessionPermissions, hbb.PermissionInfo.Permission> = {
  keyboard: P.Keyboard,
  clipboard: P.Clipboard,
  audio: P.Audio,
  file: P.File,
  restart: P.Restart,
  recording: P.Recording,
  blockInput: P.BlockInput,
  privacyMode: P.PrivacyMode,
};

/** In the order in which they are announced. */
export const PERMISSION_NAMES = Object.keys(PERMISSIONS) as (keyof SessionPermissions)[];

/** Every permission granted, as a session begins (session §2.3). */
export function allPermissions(): SessionPermissions {
  return Object.fromEntries(PERMISSION_NAMES.map((name) => [name, true])) as unknown as SessionPermissions;
}

export function permissionNumber(name: keyof SessionPermissions): hbb.PermissionInfo.Permission {
  return PERMISSIONS[name];
}

/** Undefined for permissions that a newer peer may know. */
export function permissionName(value: number): keyof SessionPermissions | undefined {
  return PERMISSION_NAMES.find((name) => PERMISSIONS[name] === value);
}

function displayInfo(display: Display, cursorEmbedded: boolean): hbb.IDisplayInfo {
  return {
    x: display.x,
    y: display.y,
    width: display.width,
    height: display.height,
    name: display.name,
    online: true,
    cursorEmbedded,
    originalResolution: { width: display.width, height: display.height },
    scale: display.scale,
  };
}

/** What a successful login is answered with (session §2.9). */
export function hostPeerInfo(
  kind: 'desktop' | 'port-forward',
  desktop: DesktopHost | null,
  host: { hostname: string; username: string; platform: PlatformName; version: string },
): hbb.IPeerInfo {
  const base: hbb.IPeerInfo = {
    username: host.username,
    hostname: host.hostname,
    platform: host.platform,
    version: host.version,
  };
  if (kind === 'port-forward') return base;
  return {
    ...base,
    displays: (desktop?.displays() ?? []).map((display) => displayInfo(display, !desktop?.watchCursor)),
    currentDisplay: 0,
    sasEnabled: host.platform === 'Windows' && desktop !== null,
    features: { privacyMode: false, terminal: false },
    encoding: supportedEncoding(desktop?.codecs ?? []),
    resolutions: {},
  };
}
