/**
 * The relay uuids that this server has seen pass between two peers (rendezvous §6.5, §6.6). The relay pairs only these, so
 * that nobody sends his traffic through a stranger's server.
 */
import type { Clock } from '../core/clock.ts';
import type { ServerLimits } from './limits.ts';

export interface Introduction {
  /** Addresses from which the two are expected; empty when they are not known. */
  readonly hosts: readonly string[];
  readonly expiresAt: number;
}

export type IntroductionListener = (uuid: string, introduction: Introduction) => void;

export class Introductions {
  readonly #byUuid = new Map<string, Introduction>();
  readonly #listeners = new Set<IntroductionListener>();
  readonly #limits: ServerLimits;
  readonly #clock: Clock;

  constructor(limits: ServerLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#byUuid.size;
  }

  /** Calls `listener` for each uuid that is noted from now on, until the returned function is called. */
  onNote(listener: IntroductionListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The two at `hosts` may meet under `uuid` for the next `limits.introductionMs`. */
  note(uuid: string, hosts: readonly string[]): void {
    if (uuid === '' || uuid.length > this.#limits.maxRelayUuidLength) return;
    // Anew at the end: the map's order is the order of age.
    this.#byUuid.delete(uuid);
    if (this.#byUuid.size >= this.#limits.maxIntroductions)
      for (const oldest of this.#byUuid.keys()) {
        this.#byUuid.delete(oldest);
        break;
      }
    const introduction = { hosts, expiresAt: this.#clock.now() + this.#limits.introductionMs };
    this.#byUuid.set(uuid, introduction);
    for (const listener of this.#listeners) listener(uuid, introduction);
  }

  get(uuid: string): Introduction | null {
    const introduction = this.#byUuid.get(uuid);
    return introduction && introduction.expiresAt > this.#clock.now() ? introduction : null;
  }

  /** One introduction is good for one pair. */
  used(uuid: string): void {
    this.#byUuid.delete(uuid);
  }

  /** Drops what is too old. Call now and then. */
  expire(): void {
    const now = this.#clock.now();
    for (const [uuid, { expiresAt }] of this.#byUuid) {
      if (expiresAt > now) return;
      this.#byUuid.delete(uuid);
    }
  }
}
