/** The memory that relayed connections are read into: one buffer for all that are quiet, large ones for the busy few. */

/** A quiet connection's chunks are copied out of it at once. */
const SHARED_BYTES = 64 * 1024;

export class ReadBuffers {
  readonly shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
  readonly #bytes: number;
  readonly #max: number;
  readonly #spare: Buffer[] = [];
  #out = 0;

  /** @param bytes of a large one @param max large ones at a time */
  constructor(bytes: number, max: number) {
    this.#bytes = bytes;
    this.#max = max;
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
