/** The keyboard of an X server: which key makes a keysym, and spare keys that are lent to what no key makes. */
import type { XClient } from 'x11';
import { keysymOf } from './x11-keysyms.ts';

/** Where a keysym is: the key, and whether Shift is needed. */
export interface KeyPlace {
  readonly keycode: number;
  readonly shift: boolean;
}

/**
 * A key that was lent must keep its meaning until the programs have looked it up: they ask the server for the map when
 * they get to the key press, which on a busy desktop is some time later.
 */
const REUSE_AFTER_MS = 250;

interface Lent {
  readonly keycode: number;
  keysym: number;
  usedAtMs: number;
}

export class X11Keymap {
  readonly #client: XClient;
  readonly #first: number;
  readonly #count: number;
  readonly #now: () => number;
  #rows: number[][] = [];
  #places = new Map<number, KeyPlace>();
  #spare: Lent[] = [];

  constructor(client: XClient, first: number, last: number, now: () => number) {
    this.#client = client;
    this.#first = first;
    this.#count = last - first + 1;
    this.#now = now;
  }

  /** Reads the map from the server; what we have lent counts as spare again. */
  async load(): Promise<void> {
    const rows = await new Promise<number[][]>((resolve, reject) =>
      this.#client.GetKeyboardMapping(this.#first, this.#count, (error, answer) => (error ? reject(error) : resolve(answer))),
    );
    this.#rows = rows;
    const lent = new Map(this.#spare.map((entry) => [entry.keycode, entry]));
    this.#places = new Map();
    this.#spare = [];
    for (const shift of [false, true])
      rows.forEach((row, index) => {
        const keycode = this.#first + index;
        const keysym = row[shift ? 1 : 0] ?? 0;
        if (keysym === 0 || lent.has(keycode)) return;
        if (!this.#places.has(keysym)) this.#places.set(keysym, { keycode, shift });
        // A letter whose row names only one case means both (X protocol §5).
        const upper = !shift && (row[1] ?? 0) === 0 ? upperOf(keysym) : null;
        if (upper !== null && !this.#places.has(upper)) this.#places.set(upper, { keycode, shift: true });
      });
    rows.forEach((row, index) => {
      const keycode = this.#first + index;
      if (lent.has(keycode) || row.every((keysym) => keysym === 0))
        this.#spare.push(lent.get(keycode) ?? { keycode, keysym: 0, usedAtMs: Number.NEGATIVE_INFINITY });
    });
  }

  /** The first keysym of a key; 0 for none. */
  keysymAt(keycode: number): number {
    return this.#rows[keycode - this.#first]?.[0] ?? 0;
  }

  /** A key that makes this keysym in the current map. */
  find(keysym: number): KeyPlace | null {
    const place = this.#places.get(keysym);
    if (place) return place;
    const lent = this.#spare.find((entry) => entry.keysym === keysym);
    if (!lent) return null;
    lent.usedAtMs = this.#now();
    return { keycode: lent.keycode, shift: false };
  }

  /** Lends a spare key to a keysym. A number: milliseconds until one is free again; null: the map has none at all. */
  lend(keysym: number): KeyPlace | number | null {
    const oldest = this.#spare.reduce<Lent | null>((best, entry) => (!best || entry.usedAtMs < best.usedAtMs ? entry : best), null);
    if (!oldest) return null;
    const waitMs = oldest.usedAtMs + REUSE_AFTER_MS - this.#now();
    if (waitMs > 0) return Math.ceil(waitMs);
    this.#assign(oldest, keysym);
    oldest.usedAtMs = this.#now();
    return { keycode: oldest.keycode, shift: false };
  }

  /** Takes every lent key back. */
  restore(): void {
    for (const entry of this.#spare) if (entry.keysym !== 0) this.#assign(entry, 0);
  }

  /** Time of the last use of a lent key; minus infinity for never. */
  get lastLentMs(): number {
    return Math.max(Number.NEGATIVE_INFINITY, ...this.#spare.filter((entry) => entry.keysym !== 0).map((entry) => entry.usedAtMs));
  }

  #assign(entry: Lent, keysym: number): void {
    entry.keysym = keysym;
    // With and without Shift the same, so that a held Shift does not matter.
    this.#client.ChangeKeyboardMapping(entry.keycode, 2, [keysym, keysym]);
  }
}

function upperOf(keysym: number): number | null {
  if (keysym < 0x61 || (keysym > 0x7a && keysym < 0xe0) || keysym > 0xfe || keysym === 0xf7) return null;
  return keysymOf(keysym - 0x20);
}
