/** What this computer says of itself to others. */
import { hostname, userInfo } from 'node:os';
import type { DesktopHost, PlatformName, SessionPermissions } from '../core/session/contract.ts';

const PLATFORMS: Partial<Record<NodeJS.Platform, PlatformName>> = { win32: 'Windows', darwin: 'Mac OS' };

/** As the wire names it (session §2.5). */
export function ownPlatform(): PlatformName {
  return PLATFORMS[process.platform] ?? 'Linux';
}

/** The user's name, or the computer's where there is none. */
export function displayName(): string {
  try {
    return userInfo().username;
  } catch {
    return hostname();
  }
}

/** What a session may do here, as far as this machine can do it. */
export function permissionsFor(desktop: DesktopHost | null): SessionPermissions {
  return {
    keyboard: desktop !== null,
    clipboard: desktop?.setClipboardText !== undefined,
    audio: false,
    file: false,
    restart: false,
    recording: true,
    blockInput: false,
    privacyMode: false,
  };
}
