/** Sealing and opening alone: the records of native links beside the secretboxes of stock ones, in the same run. */
import { initCrypto, type FrameCipher, SealedStream } from '../src/core/crypto/index.ts';
import { RecordStream } from '../src/core/native/record.ts';

export interface SealBenchResult {
  name: string;
  frameBytes: number;
  /** MB of content per second. */
  sealMbps: number;
  openMbps: number;
  /** Microseconds for one frame, sealed and opened. */
  frameUs: number;
}

/** A message of the session, a chunk of a stream, and a big frame of video. */
const FRAME_SIZES = [1024, 16 * 1024, 64 * 1024];
const TOTAL_BYTES = 128 * 1024 * 1024;
/** Sealed frames kept until they are opened: few enough to stay in the cache that a busy link would use. */
const BATCH = 64;

const key = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const secretbox = (): [FrameCipher, FrameCipher] => [new SealedStream(key(1)), new SealedStream(key(1))];
const records = (): [FrameCipher, FrameCipher] => [
  new RecordStream({ sendKey: key(1), receiveKey: key(2) }),
  new RecordStream({ sendKey: key(2), receiveKey: key(1) }),
];

/** Takes some seconds. Leaves the native secretbox on, where there is one. */
export async function benchSeals(): Promise<SealBenchResult[]> {
  const results: SealBenchResult[] = [];
  const kinds: [string, boolean, () => [FrameCipher, FrameCipher]][] = [
    ['secretbox, WebAssembly', false, secretbox],
    ['secretbox, sodium-native', true, secretbox],
    ['AES-256-GCM, node:crypto', true, records],
  ];
  for (const [name, native, make] of kinds) {
    await initCrypto({ native });
    for (const frameBytes of FRAME_SIZES) {
      measure(make(), frameBytes, TOTAL_BYTES / 8);
      const { sealMs, openMs } = measure(make(), frameBytes, TOTAL_BYTES);
      const rate = (ms: number): number => TOTAL_BYTES / 1000 / ms;
      const frameUs = ((sealMs + openMs) * 1000 * frameBytes) / TOTAL_BYTES;
      results.push({ name, frameBytes, sealMbps: rate(sealMs), openMbps: rate(openMs), frameUs });
    }
  }
  return results;
}

function measure([sender, receiver]: [FrameCipher, FrameCipher], frameBytes: number, totalBytes: number) {
  const content = new Uint8Array(frameBytes).fill(5);
  let sealMs = 0;
  let openMs = 0;
  for (let left = totalBytes / frameBytes; left > 0; left -= BATCH) {
    const started = performance.now();
    const sealed = Array.from({ length: Math.min(BATCH, left) }, () => sender.seal(content));
    const opening = performance.now();
    for (const frame of sealed) receiver.open(frame);
    sealMs += opening - started;
    openMs += performance.now() - opening;
  }
  return { sealMs, openMs };
}
