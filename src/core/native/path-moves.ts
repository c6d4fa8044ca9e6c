/** What is told of a session's moves: each once, when the new path has carried something, with the pause that it made. */
import type { PathChange, PathKind } from './contract.ts';

export class PathMoves {
  readonly #listeners = new Set<(change: PathChange) => void>();
  /** A move whose first fruit has not come back yet. */
  #moving: { from: PathKind; reason: string } | null = null;
  #lastKind: PathKind;

  constructor(first: PathKind) {
    this.#lastKind = first;
  }

  /** Under way: left, or moved without anything come back yet. */
  get pending(): boolean {
    return this.#moving !== null;
  }

  on(listener: (change: PathChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The session moved, to no path at all where `to` is null. Several moves in a row are told as one. */
  moved(to: PathKind | null, reason: string): void {
    this.#moving ??= { from: this.#lastKind, reason };
    if (to) this.#lastKind = to;
  }

  /** The path has carried something to the other end; before that something waited for `pauseMs`. */
  arrived(pauseMs: number): void {
    const moving = this.#moving;
    if (!moving) return;
    this.#moving = null;
    const change: PathChange = { from: moving.from, to: this.#lastKind, pauseMs, reason: moving.reason };
    for (const listener of [...this.#listeners]) listener(change);
  }
}
