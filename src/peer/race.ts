/**
 * Paths raced against each other: the first link whose key exchange succeeded is taken. Between stock peers the others are
 * closed then; between native peers they go on, and each that comes through is one more path of the session. Every attempt
 * leaves a record of what became of it.
 */
import type { LiteDeskError } from '../core/errors.ts';
import type { SecuredLink } from '../net/index.ts';
import { aborted, punchFailed } from './errors.ts';

export type ConnectionPath = 'lan' | 'tcp' | 'udp' | 'ipv6' | 'mapped' | 'direct' | 'relay';

/** Attempts of native peers that outlive the first success end after this time; a punch takes up to 18 s. */
const LATE_MS = 20_000;

export interface Attempt {
  readonly path: ConnectionPath;
  readonly outcome: 'ok' | 'failed' | 'cancelled';
  readonly ms: number;
  readonly reason: string;
}

export interface RaceResult {
  readonly link: SecuredLink;
  readonly path: ConnectionPath;
  readonly attempts: readonly Attempt[];
}

/** What still comes through after the race is decided. */
export interface FurtherPaths {
  /** Hands over each further link, those that came already first. Whoever does not take them gets none. */
  take(listener: (link: SecuredLink, path: ConnectionPath) => void): void;
  /** Ends what still runs. */
  stop(): void;
}

/** Which error explains most when every path failed: what the peers said outranks what the network did. */
const STAGE_WEIGHT: Record<string, number> = { handshake: 6, lookup: 5, relay: 4, punch: 3, server: 2, dns: 1 };

export class PathRace implements FurtherPaths {
  readonly result: Promise<RaceResult>;
  /** Aborted once nothing more is wanted; every attempt and helper task runs under it. */
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #attempts: Attempt[] = [];
  readonly #errors: unknown[] = [];
  readonly #running = new Map<number, { path: ConnectionPath; started: number }>();
  readonly #started = performance.now();
  #next = 0;
  #tasks = 0;
  #decided = false;
  #over = false;
  #late: { link: SecuredLink; path: ConnectionPath }[] = [];
  #onLate: ((link: SecuredLink, path: ConnectionPath) => void) | null = null;
  #lateTimer: NodeJS.Timeout | undefined;
  #resolve!: (result: RaceResult) => void;
  #reject!: (error: unknown) => void;

  constructor(signal: AbortSignal) {
    this.signal = this.#abort.signal;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // The owner awaits `result` later; a failure before that must not count as unhandled.
    this.result.catch(() => {});
    const onAbort = (): void => this.fail(aborted());
    if (signal.aborted) onAbort();
    else {
      signal.addEventListener('abort', onAbort, { once: true });
      this.signal.addEventListener('abort', () => signal.removeEventListener('abort', onAbort), { once: true });
    }
  }

  /** Nothing more is wanted. */
  get over(): boolean {
    return this.#over;
  }

  /** A path has won. */
  get decided(): boolean {
    return this.#decided;
  }

  get attempts(): readonly Attempt[] {
    return this.#attempts;
  }

  /** Milliseconds since the race began. */
  get elapsedMs(): number {
    return performance.now() - this.#started;
  }

  /** Runs something that is no path itself but may add some; the race is not lost while it runs. */
  task(work: () => Promise<void>): void {
    if (this.#over) return;
    this.#tasks += 1;
    work()
      .catch((error: unknown) => this.#errors.push(error))
      .finally(() => this.#taskDone());
  }

  /** Runs one path up to its secured link. `onFailed` tells the caller that it did not work out. */
  attempt(path: ConnectionPath, work: (signal: AbortSignal) => Promise<SecuredLink>, onFailed?: (error: unknown) => void): void {
    if (this.#over) return;
    const key = this.#next++;
    const started = performance.now();
    this.#running.set(key, { path, started });
    this.#tasks += 1;
    work(this.signal)
      .then(
        (link) => {
          this.#running.delete(key);
          if (this.#over) {
            link.destroy();
            return;
          }
          this.#record(path, 'ok', started, '');
          if (this.#decided) this.#hand(link, path);
          else this.#decide(link, path);
        },
        (error: unknown) => {
          if (!this.#running.delete(key) || this.#over) return;
          this.#record(path, 'failed', started, error instanceof Error ? error.message : String(error));
          this.#errors.push(error);
          onFailed?.(error);
        },
      )
      .finally(() => this.#taskDone());
  }

  /** Ends the race with an error that no other path could mend. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#finish();
    if (!this.#decided) this.#reject(error);
  }

  take(listener: (link: SecuredLink, path: ConnectionPath) => void): void {
    this.#onLate = listener;
    for (const { link, path } of this.#late.splice(0)) listener(link, path);
  }

  stop(): void {
    if (!this.#over) this.#finish();
    for (const { link } of this.#late.splice(0)) link.destroy();
  }

  #decide(link: SecuredLink, path: ConnectionPath): void {
    this.#decided = true;
    if (link.native) this.#lateTimer = setTimeout(() => this.#finish(), LATE_MS);
    else this.#finish();
    this.#resolve({ link, path, attempts: this.#attempts });
  }

  #hand(link: SecuredLink, path: ConnectionPath): void {
    if (this.#onLate) this.#onLate(link, path);
    else this.#late.push({ link, path });
  }

  #finish(): void {
    this.#over = true;
    clearTimeout(this.#lateTimer);
    const reason = this.#decided && this.#lateTimer ? 'it took too long' : 'another path was first';
    for (const { path, started } of this.#running.values()) this.#record(path, 'cancelled', started, reason);
    this.#running.clear();
    this.#abort.abort();
  }

  #record(path: ConnectionPath, outcome: Attempt['outcome'], started: number, reason: string): void {
    this.#attempts.push({ path, outcome, ms: Math.round((performance.now() - started) * 10) / 10, reason });
  }

  #taskDone(): void {
    this.#tasks -= 1;
    if (this.#tasks > 0 || this.#over) return;
    // What comes later, like the relay as a way back, may still be asked for.
    if (this.#decided) return;
    let best: unknown = punchFailed('nothing could be tried');
    let weight = -1;
    for (const error of this.#errors) {
      const own = STAGE_WEIGHT[(error as Partial<LiteDeskError>).stage ?? ''] ?? 0;
      if (own > weight) {
        best = error;
        weight = own;
      }
    }
    this.fail(best);
  }
}
