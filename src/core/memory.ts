/** Memory that is done with, given back at once. */

/** Less is left to the collector. Node's pool hands out parts that are smaller than half of its 64 KiB: none of those is ever freed. */
export const RELEASE_BYTES = 32 * 1024;

interface Transferable {
  /** ES2024; Node 20 does not have it, and leaves everything to the collector. */
  transfer?(newByteLength: number): ArrayBuffer;
}

/**
 * Frees the memory behind `bytes`, which must be the caller's alone, if `bytes` is the last part of it: of a buffer that is used
 * up in pieces, each is released in order. Nobody can read it afterwards.
 *
 * Left alone, large buffers stay until there are 64 MiB of them; then the whole heap is marked to find them, which took a fifth of
 * the time of a stream at full speed, and each new one is memory that no cache knows.
 */
export function release(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (bytes.length < RELEASE_BYTES || bytes.byteOffset + bytes.length !== buffer.byteLength) return;
  (buffer as Transferable).transfer?.(0);
}
