/** An id in logs and on the status page: enough to recognise one's own, not enough to dial it. */

/** Longer ones are no ids; the rest would only fill the log. */
const MAX_SHOWN = 32;

export function maskId(id: string): string {
  const chars = [...id.slice(0, MAX_SHOWN * 2)].slice(0, MAX_SHOWN);
  const ends = chars.length >= 9 ? 3 : chars.length >= 6 ? 2 : 1;
  return `${chars.slice(0, ends).join('')}***${chars.length > ends * 2 ? chars.slice(-ends).join('') : ''}`;
}
