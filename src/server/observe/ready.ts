/** Whether the server can do its work: the result of its self-test, told again for a while, since anybody may ask. */
import type { Clock } from '../../core/clock.ts';

/** What a self-test goes through, in this order; a report names the one that failed. */
const READY_STAGES = ['udp', 'register', 'store', 'tcp', 'lookup', 'introduce', 'signature', 'connect', 'relay'] as const;
export type ReadyStage = (typeof READY_STAGES)[number];

export interface ReadyReport {
  readonly ok: boolean;
  /** Where it failed; null when it passed. */
  readonly failed: ReadyStage | null;
  readonly message: string;
  /** How long each stage took, ms; stages that are off are missing. */
  readonly stages: Readonly<Partial<Record<ReadyStage, number>>>;
  /** Unix ms at its end. */
  readonly at: number;
}

/** Thrown by a self-test at the stage that fails. */
export class StageFailed extends Error {
  override readonly name = 'StageFailed';
  readonly stage: ReadyStage;

  constructor(stage: ReadyStage, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.stage = stage;
  }
}

export type SelfTest = (onStage: (stage: ReadyStage) => void, signal: AbortSignal) => Promise<void>;

export interface ReadinessOptions {
  readonly test: SelfTest;
  readonly clock: Clock;
  readonly cacheMs: number;
  readonly timeoutMs: number;
}

export class Readiness {
  readonly #o: ReadinessOptions;
  readonly #closed = new AbortController();
  #running: Promise<ReadyReport> | null = null;
  #lastAt = Number.NEGATIVE_INFINITY;
  /** The newest report; null before the first. */
  last: ReadyReport | null = null;

  constructor(options: ReadinessOptions) {
    this.#o = options;
  }

  /** The report, at most `cacheMs` old. Never rejects. Who asks while a test runs waits for that one. */
  check(): Promise<ReadyReport> {
    if (this.last && this.#o.clock.now() - this.#lastAt < this.#o.cacheMs) return Promise.resolve(this.last);
    this.#running ??= this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  close(): void {
    this.#closed.abort();
  }

  async #run(): Promise<ReadyReport> {
    const { clock, timeoutMs } = this.#o;
    const stages: Partial<Record<ReadyStage, number>> = {};
    let current: ReadyStage = READY_STAGES[0];
    let since = clock.now();
    const late = new AbortController();
    const cancelTimer = clock.setTimer(timeoutMs, () => late.abort());
    const signal = AbortSignal.any([late.signal, this.#closed.signal]);
    const finish = (ok: boolean, failed: ReadyStage | null, message: string): ReadyReport => {
      cancelTimer();
      this.#lastAt = clock.now();
      this.last = { ok, failed, message, stages, at: Date.now() };
      return this.last;
    };
    const ended = (): void => {
      stages[current] = Math.round((clock.now() - since) * 100) / 100;
      since = clock.now();
    };
    let started = false;
    try {
      await this.#o.test((stage) => {
        if (started) ended();
        started = true;
        current = stage;
      }, signal);
      ended();
      return finish(true, null, 'The server registered a computer of its own, introduced itself to it and reached it.');
    } catch (error) {
      ended();
      const stage = error instanceof StageFailed ? error.stage : current;
      if (late.signal.aborted) return finish(false, stage, `No answer within ${timeoutMs} ms.`);
      return finish(false, stage, error instanceof Error ? error.message : String(error));
    }
  }
}
