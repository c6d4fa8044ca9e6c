/** A QR code for a terminal: two rows of dots in each line of text. */
import { renderUnicodeCompact } from 'uqr';

export function qrText(text: string): string {
  // Dark on light, as readers want it, also where the terminal is dark.
  return renderUnicodeCompact(text, { border: 2, ecc: 'L' });
}
