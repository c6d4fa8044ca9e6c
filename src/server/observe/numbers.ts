/**
 * What one of several processes of a server tells the first one, which serves the numbers of all: what was decided since
 * the last time, and what it holds now. Every second; a report that is lost with its process was of its last second.
 */
import type { Clock } from '../../core/clock.ts';
import type { Counters } from '../counters.ts';
import { type Detail, type Reason, REASONS } from './reasons.ts';
import type { Presence, ServerView } from './view.ts';

export interface TimedDecision extends Detail {
  readonly reason: Reason;
}

export interface WorkerNumbers {
  /** Decisions since the last report. */
  readonly counts: Readonly<Record<string, number>>;
  /** Some of them with what is known about them, for histograms and the list of recent ones. */
  readonly decisions: readonly TimedDecision[];
  readonly census: Readonly<Record<Presence, number>>;
  readonly connections: number;
  readonly pendingRequests: number;
  readonly suppressedLines: number;
}

export interface NumbersChannel {
  /** To the first process. */
  send(numbers: WorkerNumbers): void;
  /** In the first process: calls back with each report; the returned function ends that. */
  onNumbers(listener: (worker: number, numbers: WorkerNumbers) => void): () => void;
}

const INTERVAL_MS = 1_000;
/** Decisions with details in one report; of a flood the rest is only counted. */
const MAX_DECISIONS = 500;
/** A process that has said nothing for so long is gone, and another one takes its place. */
const SILENT_MS = 5_000;

/** Reports until the returned function is called. */
export function reportNumbers(view: ServerView, clock: Clock, send: (numbers: WorkerNumbers) => void): () => void {
  let before: Readonly<Record<string, number>> = {};
  let decisions: TimedDecision[] = [];
  const stop = view.counters.onDecision((reason, detail) => {
    if (decisions.length < MAX_DECISIONS && (detail.ms !== undefined || REASONS[reason].kind !== 'ignored')) decisions.push({ reason, ...detail });
  });
  let cancel = (): void => {};
  const round = (): void => {
    cancel = clock.setTimer(INTERVAL_MS, round);
    void view.census().then((census) => {
      const now = view.counters.snapshot();
      const counts = Object.fromEntries(
        Object.entries(now)
          .map(([reason, count]) => [reason, count - (before[reason] ?? 0)] as const)
          .filter(([, count]) => count > 0),
      );
      before = now;
      send({
        counts,
        decisions,
        census,
        connections: view.connections(),
        pendingRequests: view.pendingRequests(),
        suppressedLines: view.suppressedLines(),
      });
      decisions = [];
    });
  };
  cancel = clock.setTimer(INTERVAL_MS, round);
  return () => {
    stop();
    cancel();
  };
}

/** The numbers of the other processes, to be added to one's own. */
export class OtherWorkers {
  readonly #latest = new Map<number, { readonly numbers: WorkerNumbers; readonly at: number }>();
  readonly #clock: Clock;
  readonly #counters: Counters;
  readonly #onDecision: (decision: TimedDecision) => void;
  /** Of processes that have ended since. */
  #suppressedBefore = 0;

  constructor(clock: Clock, counters: Counters, onDecision: (decision: TimedDecision) => void) {
    this.#clock = clock;
    this.#counters = counters;
    this.#onDecision = onDecision;
  }

  take(worker: number, numbers: WorkerNumbers): void {
    const before = this.#latest.get(worker)?.numbers.suppressedLines ?? 0;
    if (numbers.suppressedLines < before) this.#suppressedBefore += before;
    this.#latest.set(worker, { numbers, at: this.#clock.now() });
    for (const [reason, count] of Object.entries(numbers.counts)) if (Object.hasOwn(REASONS, reason)) this.#counters.add(reason as Reason, count);
    for (const decision of numbers.decisions) if (Object.hasOwn(REASONS, decision.reason)) this.#onDecision(decision);
  }

  /** What they hold now, together with `own`. */
  view(own: ServerView): ServerView {
    const sum = (read: (numbers: WorkerNumbers) => number): number =>
      this.#living().reduce((total, numbers) => total + read(numbers), 0);
    return {
      ...own,
      census: async () => {
        const census = { ...(await own.census()) };
        for (const via of Object.keys(census) as Presence[]) census[via] += sum((numbers) => numbers.census[via]);
        return census;
      },
      connections: () => own.connections() + sum((numbers) => numbers.connections),
      pendingRequests: () => own.pendingRequests() + sum((numbers) => numbers.pendingRequests),
      suppressedLines: () => own.suppressedLines() + this.#suppressedBefore + [...this.#latest.values()].reduce((total, { numbers }) => total + numbers.suppressedLines, 0),
    };
  }

  #living(): WorkerNumbers[] {
    const oldest = this.#clock.now() - SILENT_MS;
    return [...this.#latest.values()].filter(({ at }) => at >= oldest).map(({ numbers }) => numbers);
  }
}
