/**
 * Sessions whose controller has come back anew: a program that was killed leaves one without a path, which would stay for as long as
 * a roaming computer is waited for. It ends as soon as the same computer, by the key that it proved, has another that works.
 */
import type { Clock } from '../core/clock.ts';
import type { LinkState } from '../core/native/contract.ts';

/** When a network falls dark or comes back, the sessions of one computer do so within this time of each other. */
const CONFIRM_MS = 3_000;

/** A session that is open. */
export interface OpenSession {
  /** Who the controller proved to be, and what kind of session it is. */
  readonly key: string;
  readonly link: { readonly state: LinkState; onStateChange(listener: (state: LinkState) => void): () => void };
  /** Ends it at once. */
  end(): void;
}

export class StaleSessions {
  readonly #clock: Clock;
  /** In the order in which they were opened. */
  readonly #open = new Map<string, OpenSession[]>();
  readonly #cancels = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  opened(session: OpenSession): void {
    this.#open.set(session.key, [...(this.#open.get(session.key) ?? []), session]);
    session.link.onStateChange((state) => {
      if (state === 'searching') this.#soon(session.key);
      else if (state === 'closed') this.#closed(session);
    });
    this.#soon(session.key);
  }

  /** Forgets everything. */
  close(): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    this.#open.clear();
  }

  #soon(key: string): void {
    if ((this.#open.get(key)?.length ?? 0) < 2) return;
    const cancel = this.#clock.setTimer(CONFIRM_MS, () => {
      this.#cancels.delete(cancel);
      this.#look(key);
    });
    this.#cancels.add(cancel);
  }

  #look(key: string): void {
    const all = this.#open.get(key) ?? [];
    const newestLive = all.findLastIndex(({ link }) => link.state === 'live');
    for (const session of all.slice(0, Math.max(0, newestLive))) if (session.link.state === 'searching') session.end();
  }

  #closed(session: OpenSession): void {
    const left = (this.#open.get(session.key) ?? []).filter((other) => other !== session);
    if (left.length > 0) this.#open.set(session.key, left);
    else this.#open.delete(session.key);
  }
}
