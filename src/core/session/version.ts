/**
 * The comparison number of a peer version (session §11): dotted parts folded by 1000, the last part times ten, an
 * optional `-patch` added. "1.2.3" → 1002030. Empty, zero or malformed counts as older than everything (0).
 */
export function versionNumber(version: string): number {
  const [numbers, patch] = version.slice(0, 64).split('-', 2);
  const parts = (numbers ?? '').split('.').map((part) => Number.parseInt(part, 10));
  if (parts.some((part) => !Number.isSafeInteger(part) || part < 0)) return 0;
  let result = 0;
  parts.forEach((part, index) => {
    result = result * 1000 + (index === parts.length - 1 ? part * 10 : part);
  });
  const extra = Number.parseInt(patch ?? '', 10);
  return result + (Number.isSafeInteger(extra) ? extra : 0);
}

/** True when `version` is at least `wanted` (both like "1.3.0"). */
export function versionAtLeast(version: string, wanted: string): boolean {
  return versionNumber(version) >= versionNumber(wanted);
}

/** What a LiteDesk peer announces: mouse type 5 and screenshot_request are implemented (session §11). */
export const PROTOCOL_VERSION = '1.4.5';
