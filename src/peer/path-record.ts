/** What became of the search for better paths, attempt by attempt: for `connect --json`, `doctor` and the app. */
import { PATH_LIMITS } from '../core/nat/limits.ts';
import type { Way } from '../core/nat/plan.ts';
import type { Attempt } from './race.ts';

export interface PathAttempt {
  readonly way: Way;
  /** Milliseconds since the session's link stood. */
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: 'ok' | 'failed' | 'cancelled';
  /** Why it was tried, or why it failed. */
  readonly reason: string;
  /** Of the other side, where a pair was found. */
  readonly remoteAddress: string;
}

/** The latest attempts, bounded. */
export class PathRecord {
  readonly #attempts: PathAttempt[] = [];

  get attempts(): readonly PathAttempt[] {
    return this.#attempts;
  }

  add(attempt: PathAttempt): void {
    if (this.#attempts.length >= PATH_LIMITS.maxRecords) this.#attempts.shift();
    this.#attempts.push(attempt);
  }
}

/** What a path manager tried, in the words of the first race. */
export function asAttempt({ way, startMs, endMs, outcome, reason }: PathAttempt): Attempt {
  const path = KIND_OF_WAY[way];
  return { path, outcome, ms: endMs - startMs, reason: reason === '' || path === way ? reason : `${way}: ${reason}` };
}

const KIND_OF_WAY: Record<Way, Attempt['path']> = {
  lan: 'lan',
  hairpin: 'udp',
  ipv6: 'ipv6',
  mapped: 'mapped',
  udp: 'udp',
  'udp-prediction': 'udp',
  'udp-birthday': 'udp',
  tcp: 'tcp',
  'tcp-prediction': 'tcp',
  relay: 'relay',
};
