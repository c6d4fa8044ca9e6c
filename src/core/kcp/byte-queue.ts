/** Written bytes that have not become segments yet: chunks by reference, cut at the front. */
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

  /** Moves up to `max` bytes into `out` at `at`; returns how many. */
  take(out: Uint8Array, at: number, max: number): number {
    let taken = 0;
    while (taken < max && this.#length > 0) {
      const chunk = this.#chunks[this.#head] as Uint8Array;
      const end = Math.min(chunk.length, this.#offset + max - taken);
      const part = end - this.#offset;
      out.set(
        this.#offset === 0 && end === chunk.length ? chunk : chunk.subarray(this.#offset, end),
        at + taken,
      );
      taken += part;
      this.#length -= part;
      this.#offset = end;
      if (end === chunk.length) {
        this.#chunks[this.#head++] = undefined;
        this.#offset = 0;
        // Amortised: each chunk is moved at most once per doubling.
        if (this.#head >= 64 && this.#head * 2 >= this.#chunks.length) {
          this.#chunks = this.#chunks.slice(this.#head);
          this.#head = 0;
        }
      }
    }
    return taken;
  }
}
