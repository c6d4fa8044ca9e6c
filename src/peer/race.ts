/**
 * Paths raced against each other: the first link whose key exchange succeeded is taken, the others are closed, and every
 * attempt leaves a record of what became of it.
 */
import type { LiteDeskError } from '../core/errors.ts';
import type { SecuredLink } from '../net/index.ts';
import { aborted, punchFailed } from './errors.ts';

export type ConnectionPath = 'lan' | 'tcp' | 'udp' | 'ipv6' | 'mapped' | 'direct' | 'relay';

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

/** Which error explains most when every path failed: what the peers said outranks what the network did. */
const STAGE_WEIGHT: Record<string, number> = { handshake: 6, lookup: 5, relay: 4, punch: 3, server: 2, dns: 1 };

export class PathRace {
  readonly result: Promise<RaceResult>;
  /** Aborted once the race is decided; every attempt and helper task runs under it. */
  readonly signal: AbortSignal;
  readonly #abort = new AbortController();
  readonly #attempts: Attempt[] = [];
  readonly #errors: unknown[] = [];
  readonly #running = new Map<number, { path: ConnectionPath; started: number }>();
  readonly #started = performance.now();
  #next = 0;
  #tasks = 0;
  #settled = false;
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

  get decided(): boolean {
    return this.#settled;
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
    if (this.#settled) return;
    this.#tasks += 1;
    work()
      .catch((error: unknown) => this.#errors.push(error))
      .finally(() => this.#taskDone());
  }

  /** Runs one path up to its secured link. `onFailed` tells the caller that it did not work out. */
  attempt(path: ConnectionPath, work: (signal: AbortSignal) => Promise<SecuredLink>, onFailed?: (error: unknown) => void): void {
    if (this.#settled) return;
    const key = this.#next++;
    const started = performance.now();
    this.#running.set(key, { path, started });
    this.#tasks += 1;
    work(this.signal)
      .then(
        (link) => {
          this.#running.delete(key);
          if (this.#settled) {
            link.destroy();
            return;
          }
          this.#record(path, 'ok', started, '');
          this.#finish();
          this.#resolve({ link, path, attempts: this.#attempts });
        },
        (error: unknown) => {
          if (!this.#running.delete(key) || this.#settled) return;
          this.#record(path, 'failed', started, error instanceof Error ? error.message : String(error));
          this.#errors.push(error);
          onFailed?.(error);
        },
      )
      .finally(() => this.#taskDone());
  }

  /** Ends the race with an error that no other path could mend. */
  fail(error: unknown): void {
    if (this.#settled) return;
    this.#finish();
    this.#reject(error);
  }

  #finish(): void {
    this.#settled = true;
    for (const { path, started } of this.#running.values()) this.#record(path, 'cancelled', started, 'another path was first');
    this.#running.clear();
    this.#abort.abort();
  }

  #record(path: ConnectionPath, outcome: Attempt['outcome'], started: number, reason: string): void {
    this.#attempts.push({ path, outcome, ms: Math.round((performance.now() - started) * 10) / 10, reason });
  }

  #taskDone(): void {
    this.#tasks -= 1;
    if (this.#tasks > 0 || this.#settled) return;
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
