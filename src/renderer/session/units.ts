import type { Language } from '../../shared/ipc.ts';

/** Bits per second in the unit that reads best. */
export function bitrate(language: Language, bps: number): string {
  const format = (value: number, digits: number) =>
    new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: digits }).format(
      value,
    );
  if (bps >= 1e6) return `${format(bps / 1e6, 1)} Mbit/s`;
  return `${format(Math.max(0, bps) / 1e3, 0)} kbit/s`;
}
