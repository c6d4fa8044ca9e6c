/** The part of a `VideoFrame` that is looked at. */
export interface ComparablePicture {
  allocationSize(): number;
  copyTo(destination: Uint8Array): Promise<unknown>;
}

/** After so many new pictures in a row the screen is in motion, and only two of eight are still compared. */
const MOTION_AFTER = 8;

/**
 * Tells pictures that show something new from those that show the screen as it was. Looking costs about a millisecond at
 * 1080p, encoding ten times as much, and a picture that is encoded for nothing is in the way of the next.
 */
export class PictureChanges {
  /** The picture before, if it was kept. */
  #known: Uint8Array | null = null;
  #spare: Uint8Array | null = null;
  /** New pictures in a row. */
  #run = 0;

  /** Whether the picture differs from the last one that did; also true where nobody can tell. */
  async isNew(picture: ComparablePicture): Promise<boolean> {
    if (this.#run >= MOTION_AFTER && this.#run % 8 < 6) {
      this.#run++;
      this.#forget();
      return true;
    }
    const size = picture.allocationSize();
    const bytes = this.#spare?.length === size ? this.#spare : new Uint8Array(size);
    this.#spare = null;
    try {
      await picture.copyTo(bytes);
    } catch {
      this.#forget();
      return true;
    }
    if (this.#known !== null && sameBytes(this.#known, bytes)) {
      this.#spare = bytes;
      this.#run = 0;
      return false;
    }
    this.#spare = this.#known;
    this.#known = bytes;
    this.#run++;
    return true;
  }

  /** What is not known to be the picture before must not be compared with. */
  #forget(): void {
    this.#spare ??= this.#known;
    this.#known = null;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  const words = a.length >> 2;
  const wordsOfA = new Int32Array(a.buffer, 0, words);
  const wordsOfB = new Int32Array(b.buffer, 0, words);
  for (let i = 0; i < words; i++) if (wordsOfA[i] !== wordsOfB[i]) return false;
  for (let i = words << 2; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
