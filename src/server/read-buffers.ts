/** The memory that relayed connections are read into: one buffer for all that are quiet, large ones for the busy few. */

/** A quiet connection's chunks are copied out of it at once. */
const SHARED_BYTES = 64 * 1024;
/** Chunks are copied to memory of these sizes, which is used again; a slow reader pins no more than what fits its chunk. */
const SCRATCH_BYTES = [16 * 1024, SHARED_BYTES] as const;

export class ReadBuffers {
  readonly shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
  readonly #bytes: number;
  readonly #max: number;
  readonly #spare: Buffer[] = [];
  #out = 0;
  readonly #scratch = new Map<number, Buffer>();

  /** @param bytes of a large one @param max large ones at a time */
  constructor(bytes: number, max: number) {
    this.#bytes = bytes;
    this.#max = max;
  }

  /**
   * A copy of what is in the shared buffer. Give it to `reuse` when nobody reads it any more: fresh memory for every chunk
   * is what keeps the garbage collector busy.
   */
  copy(bytes: Buffer): Buffer {
    const size = SCRATCH_BYTES.find((fits) => bytes.length <= fits) ?? bytes.length;
    const scratch = this.#scratch.get(size) ?? Buffer.allocUnsafeSlow(size);
    this.#scratch.delete(size);
    bytes.copy(scratch);
    return scratch.subarray(0, bytes.length);
  }

  reuse(copy: Buffer): void {
    const size = copy.buffer.byteLength;
    if (size <= SHARED_BYTES) this.#scratch.set(size, Buffer.from(copy.buffer));
  }

  /** A large one, or null when all are out. */
  take(): Buffer | null {
    if (this.#out >= this.#max) return null;
    this.#out++;
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
  }

  /** Gives one back; nobody reads or writes it any more. */
  give(buffer: Buffer): void {
    this.#out--;
    // Some are kept, since who was busy often is so again.
    if (this.#spare.length < this.#max / 16) this.#spare.push(buffer);
  }

  /** One that was taken is lost: the system may still be reading it. */
  forget(): void {
    this.#out--;
  }
}
