/** Tells when an interface came, went or got another address. Node has no event for it, so the list is looked at. */
import type { Clock } from '../core/clock.ts';
import { networkFingerprint } from './local-addresses.ts';

/** Reading the list takes some 50 microseconds. */
const LOOK_EVERY_MS = 1_000;

export interface NetworkWatchOptions {
  readonly clock: Clock;
  readonly onChange: () => void;
  /** For tests; default: this computer's interfaces. */
  readonly look?: () => string;
}

export class NetworkWatch {
  readonly #options: NetworkWatchOptions;
  readonly #look: () => string;
  #last: string;
  #cancel: (() => void) | null = null;

  /** Looks from now on, until `close`. */
  constructor(options: NetworkWatchOptions) {
    this.#options = options;
    this.#look = options.look ?? networkFingerprint;
    this.#last = this.#look();
    this.#schedule();
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = null;
  }

  #schedule(): void {
    this.#cancel = this.#options.clock.setTimer(LOOK_EVERY_MS, () => {
      const now = this.#look();
      this.#schedule();
      if (now === this.#last) return;
      this.#last = now;
      this.#options.onChange();
    });
  }
}
