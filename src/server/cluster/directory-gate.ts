/** Who needs the directory waits out a short absence of it. */
import type { Clock } from '../../core/clock.ts';
import type { ServerLimits } from '../limits.ts';
import { type Directory, DirectoryDown } from './directory.ts';

export class DirectoryGate {
  readonly #directory: Directory;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #closed = false;

  constructor(directory: Directory, limits: ServerLimits, clock: Clock) {
    this.#directory = directory;
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Resolves when the directory can be asked. @throws DirectoryDown */
  async up(): Promise<void> {
    if (this.#directory.connected) return;
    const { maxHeldForDirectory, directoryHoldMs } = this.#limits;
    if (this.#waiting.size >= maxHeldForDirectory) throw new DirectoryDown('too many wait for it');
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const cancel = this.#clock.setTimer(directoryHoldMs, wake);
      this.#waiting.add(wake);
    });
    if (!this.#directory.connected || this.#closed) throw new DirectoryDown('not connected');
  }

  /** The directory is there again. */
  open(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Nobody waits any longer. */
  close(): void {
    this.#closed = true;
    this.open();
  }
}
