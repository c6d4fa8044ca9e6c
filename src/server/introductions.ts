/**
 * The relay uuids that this server has seen pass between two peers (rendezvous §6.5, §6.6). The relay pairs only these, so
 * that nobody sends his traffic through a stranger's server.
 */
import type { Clock } from '../core/clock.ts';
import type { ServerLimits } from './limits.ts';

export interface Introduction {
  /** Addresses from which the two are expected; empty when they are not known. */
  readonly hosts: readonly string[];
  /** The controlled side has said yes, not only the controller asked for it. */
  readonly agreed: boolean;
  readonly expiresAt: number;
}

/** `told`: by another server, so that it need not be told on. */
export type IntroductionListener = (uuid: string, introduction: Introduction, told: boolean) => void;

/** A signed word of another server is good for a little longer than an introduction (tickets.ts). */
const SPENT_FACTOR = 3;

export class Introductions {
  readonly #byUuid = new Map<string, Introduction>();
  /** Uuids under which two have met, and until when nobody else's word brings them back. */
  readonly #spent = new Map<string, number>();
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

  /**
   * The two at `hosts` may meet under `uuid` for the next `limits.introductionMs`. `told`: another server says so; the same
   * words, heard again after the two have met, must not let two more meet. `agreed`: see Introduction.
   */
  note(uuid: string, hosts: readonly string[], { told = false, agreed = true } = {}): void {
    if (uuid === '' || uuid.length > this.#limits.maxRelayUuidLength) return;
    // Its ends have met already: the answer of the controlled side may come behind it.
    if (agreed && (this.#spent.get(uuid) ?? 0) > this.#clock.now() && !this.#byUuid.has(uuid)) return;
    // Anew at the end: the map's order is the order of age.
    this.#byUuid.delete(uuid);
    this.#makeRoom(this.#byUuid);
    const introduction = { hosts, agreed, expiresAt: this.#clock.now() + this.#limits.introductionMs };
    this.#byUuid.set(uuid, introduction);
    for (const listener of this.#listeners) listener(uuid, introduction, told);
  }

  get(uuid: string): Introduction | null {
    const introduction = this.#byUuid.get(uuid);
    return introduction && introduction.expiresAt > this.#clock.now() ? introduction : null;
  }

  /** One introduction is good for one pair. */
  used(uuid: string): void {
    this.#byUuid.delete(uuid);
    this.#spent.delete(uuid);
    this.#makeRoom(this.#spent);
    this.#spent.set(uuid, this.#clock.now() + SPENT_FACTOR * this.#limits.introductionMs);
  }

  /** Drops what is too old. Call now and then. */
  expire(): void {
    const now = this.#clock.now();
    for (const [uuid, { expiresAt }] of this.#byUuid) {
      if (expiresAt > now) break;
      this.#byUuid.delete(uuid);
    }
    for (const [uuid, until] of this.#spent) {
      if (until > now) break;
      this.#spent.delete(uuid);
    }
  }

  /** The oldest goes: it has had the longest time to be used. */
  #makeRoom(map: Map<string, unknown>): void {
    if (map.size < this.#limits.maxIntroductions) return;
    for (const oldest of map.keys()) {
      map.delete(oldest);
      return;
    }
  }
}
