/** Written bytes that have not become segments yet: chunks by reference, cut at the front. */
const EMPTY = new Uint8Array(0);

export class ByteQueue {
  #chunks: (Uint8Array | undefined)[] = [];
  #head = 0;
  #offset = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }

  /** The first bytes that lie together, `max` at most, where they are; empty when there are none. They stay in the queue. */
  view(max: number): Uint8Array {
    const chunk = this.#chunks[this.#head];
    return chunk ? chunk.subarray(this.#offset, Math.min(chunk.length, this.#offset + max)) : EMPTY;
  }

  /** Drops `bytes` of what `view` showed. */
  skip(bytes: number): void {
    const chunk = this.#chunks[this.#head];
    if (!chunk) return;
    this.#length -= bytes;
    this.#offset += bytes;
    if (this.#offset === chunk.length) this.#shift();
  }

  /** Moves up to `max` bytes into `out` at `at`; returns how many. */
  take(out: Uint8Array, at: number, max: number): number {
    let taken = 0;
    while (taken < max && this.#length > 0) {
      const part = this.view(max - taken);
      out.set(part, at + taken);
      taken += part.length;
      this.skip(part.length);
    }
    return taken;
  }

  #shift(): void {
    this.#chunks[this.#head++] = undefined;
    this.#offset = 0;
    // Amortised: each chunk is moved at most once per doubling.
    if (this.#head >= 64 && this.#head * 2 >= this.#chunks.length) {
      this.#chunks = this.#chunks.slice(this.#head);
      this.#head = 0;
    }
  }
}
