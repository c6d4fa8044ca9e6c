/** Lengths of time as people write them. */
const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

/** ms of `90m`, `12h`, `30d`, `2w` or `45s`; null for `never`; undefined when it is none of these. */
export function parseDuration(text: string): number | null | undefined {
  if (text === 'never') return null;
  const match = /^(\d{1,6})\s*([smhdw])$/.exec(text.trim().toLowerCase());
  const unit = UNITS[match?.[2] ?? ''];
  return match && unit !== undefined ? Number(match[1]) * unit : undefined;
}
