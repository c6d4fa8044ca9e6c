import { WireError } from '../errors.ts';
import type { hbb } from '../wire/proto.ts';
import type { CursorShape } from './contract.ts';
import * as limits from './limits.ts';
import { zstdOpen } from './zstd.ts';

/** Reads pointer shapes (session §3.9) and gives each 64-bit id of the host a small number of its own. */
export class CursorReader {
  readonly #ids = new Map<bigint, number>();
  #next = 1;

  /** The shape, or null when it is broken: the last one stays in use. */
  read(message: hbb.ICursorData): CursorShape | null {
    const width = message.width ?? 0;
    const height = message.height ?? 0;
    if (width <= 0 || height <= 0 || width > limits.CURSOR_SIDE || height > limits.CURSOR_SIDE) return null;
    let rgba: Uint8Array;
    try {
      rgba = zstdOpen(message.colors ?? new Uint8Array(), width * height * 4);
    } catch (error) {
      if (error instanceof WireError) return null;
      throw error;
    }
    if (rgba.length !== width * height * 4) return null;
    const wireId = message.id ?? 0n;
    let id = this.#ids.get(wireId);
    if (id === undefined) {
      if (this.#ids.size >= limits.MAX_CURSORS) this.#ids.clear();
      id = this.#next++;
      this.#ids.set(wireId, id);
    }
    return { id, hotX: message.hotx ?? 0, hotY: message.hoty ?? 0, width, height, rgba };
  }

  /** Our number of a shape that was read before, or null. */
  known(wireId: bigint): number | null {
    return this.#ids.get(wireId) ?? null;
  }
}
