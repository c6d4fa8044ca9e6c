/** Small pieces are gathered into blocks of this size, so that a stream of single bytes does not cost a hundred times its size. */
const BLOCK_BYTES = 16 * 1024;
const SMALLEST_BLOCK = 512;
/** Pieces from this size on are kept as they are. */
const LARGE_BYTES = 2 * 1024;

/** Received bytes that nobody has read yet, in order. */
export class ChunkQueue {
  #chunks: Uint8Array[] = [];
  #head = 0;
  #length = 0;
  /** The last chunk, while it is a block of ours with room left. */
  #block: Uint8Array | null = null;
  #used = 0;

  /** Bytes waiting. */
  get length(): number {
    return this.#length;
  }

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#length += bytes.length;
    // What is read at once need not be copied.
    if (bytes.length >= LARGE_BYTES || this.#length === bytes.length) {
      this.#sealBlock();
      this.#chunks.push(bytes);
      return;
    }
    let rest = bytes;
    while (rest.length > 0) {
      if (!this.#block) {
        this.#block = new Uint8Array(Math.max(SMALLEST_BLOCK, Math.min(BLOCK_BYTES, this.#length)));
        this.#used = 0;
      }
      const part = rest.subarray(0, this.#block.length - this.#used);
      this.#block.set(part, this.#used);
      this.#used += part.length;
      rest = rest.subarray(part.length);
      if (this.#used === this.#block.length) this.#sealBlock();
    }
  }

  /** The next chunk, or null when nothing waits. */
  shift(): Uint8Array | null {
    if (this.#head === this.#chunks.length) this.#sealBlock();
    const chunk = this.#chunks[this.#head];
    if (!chunk) return null;
    this.#head++;
    if (this.#head === this.#chunks.length) {
      this.#chunks = [];
      this.#head = 0;
    } else if (this.#head >= 64 && this.#head * 2 >= this.#chunks.length) {
      // Amortised: each chunk is moved at most once per doubling.
      this.#chunks = this.#chunks.slice(this.#head);
      this.#head = 0;
    }
    this.#length -= chunk.length;
    return chunk;
  }

  clear(): void {
    this.#chunks = [];
    this.#head = 0;
    this.#length = 0;
    this.#block = null;
    this.#used = 0;
  }

  #sealBlock(): void {
    if (this.#block && this.#used > 0) this.#chunks.push(this.#block.subarray(0, this.#used));
    this.#block = null;
    this.#used = 0;
  }
}
