import { Decompress } from 'fzstd';
import { WireError } from '../errors.ts';

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd];
/** Largest block of the format. */
const BLOCK_BYTES = 131_072;

/** Wraps bytes in a stored zstd frame, which every decoder accepts (session §12 (b)). */
export function zstdStore(data: Uint8Array): Uint8Array {
  const blocks = Math.max(1, Math.ceil(data.length / BLOCK_BYTES));
  const out = new Uint8Array(9 + blocks * 3 + data.length);
  out.set(MAGIC);
  out[4] = 0xa0;
  new DataView(out.buffer).setUint32(5, data.length, true);
  let at = 9;
  for (let block = 0; block < blocks; block++) {
    const part = data.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES);
    const header = (part.length << 3) | (block === blocks - 1 ? 1 : 0);
    out[at] = header & 0xff;
    out[at + 1] = (header >> 8) & 0xff;
    out[at + 2] = (header >> 16) & 0xff;
    out.set(part, at + 3);
    at += 3 + part.length;
  }
  return out;
}

/**
 * Opens one zstd frame of at most `maxBytes` of content.
 * @throws WireError ZSTD_INVALID, ZSTD_TOO_LARGE
 */
export function zstdOpen(frame: Uint8Array, maxBytes: number): Uint8Array {
  checkHeader(frame, maxBytes);
  const chunks: Uint8Array[] = [];
  let total = 0;
  try {
    const stream = new Decompress((chunk) => {
      total += chunk.length;
      // Raised from inside push, before more memory is taken.
      if (total > maxBytes) throw new WireError('ZSTD_TOO_LARGE', `content exceeds ${maxBytes} bytes`);
      if (chunk.length > 0) chunks.push(chunk.slice());
    });
    stream.push(frame, true);
  } catch (error) {
    if (error instanceof WireError) throw error;
    throw new WireError('ZSTD_INVALID', 'not a zstd frame', { cause: error });
  }
  if (chunks.length === 1 && chunks[0]) return chunks[0];
  const out = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}

/** The decoder allocates the window that the header names; a hostile header must not make it take gigabytes. */
function checkHeader(frame: Uint8Array, maxBytes: number): void {
  if (frame.length < 6 || MAGIC.some((byte, index) => frame[index] !== byte))
    throw new WireError('ZSTD_INVALID', 'not a zstd frame');
  const descriptor = frame[4] ?? 0;
  const single = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0;
  let at = 5;
  if (!single) {
    const window = frame[at++] ?? 0;
    const base = 2 ** (10 + (window >> 3));
    const size = base + (base / 8) * (window & 7);
    // Encoders name a window of up to 8 MiB (level 3: 2 MiB) even for small content.
    if (size > Math.max(maxBytes, 8 * 1024 * 1024)) throw new WireError('ZSTD_TOO_LARGE', 'window too large');
  }
  at += dictionary;
  let size = 0;
  for (let index = 0; index < sizeBytes; index++) size += (frame[at + index] ?? 0) * 2 ** (8 * index);
  if (sizeBytes === 2) size += 256;
  if (size > maxBytes) throw new WireError('ZSTD_TOO_LARGE', `content exceeds ${maxBytes} bytes`);
}
