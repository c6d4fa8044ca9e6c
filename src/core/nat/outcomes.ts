/**
 * What worked between this network and another computer, so that the next search begins with it. A hint only: every way is
 * still tried, and what is remembered wrongly costs nothing but the head start of another.
 */
import type { PlannedWay, Way } from './plan.ts';

/** Pairs that are remembered; who supports others meets some hundreds of computers. */
export const MAX_PAIRS = 500;
/** Longer ago says nothing: routers are replaced, people move. */
const LIFE_MS = 90 * 24 * 3_600_000;
/** A way that failed so often in a row since it last worked has lost its place. */
const MAX_FAILURES = 2;

export interface Outcome {
  readonly way: Way;
  /** Unix time in milliseconds at which it last worked. */
  readonly workedAt: number;
  /** Searches since then that ended without it. */
  readonly failures: number;
}

export class Outcomes {
  /** Least recently used first. */
  readonly #pairs: Map<string, Outcome>;

  /** @param known as `entries` gave them, the newest last */
  constructor(known: Iterable<readonly [string, Outcome]> = []) {
    this.#pairs = new Map([...known].slice(-MAX_PAIRS));
  }

  get entries(): readonly (readonly [string, Outcome])[] {
    return [...this.#pairs];
  }

  /** That way carried the session of this pair. */
  worked(pair: string, way: Way, now: number): void {
    this.#put(pair, { way, workedAt: now, failures: 0 });
  }

  /** A search of this pair found nothing. False: nothing was remembered that could be wrong. */
  failed(pair: string): boolean {
    const known = this.#pairs.get(pair);
    if (!known) return false;
    if (known.failures + 1 >= MAX_FAILURES) this.#pairs.delete(pair);
    else this.#put(pair, { ...known, failures: known.failures + 1 });
    return true;
  }

  /** What to begin with; null: nothing is known. */
  best(pair: string, now: number): Way | null {
    const known = this.#pairs.get(pair);
    return known && now - known.workedAt < LIFE_MS ? known.way : null;
  }

  #put(pair: string, outcome: Outcome): void {
    this.#pairs.delete(pair);
    this.#pairs.set(pair, outcome);
    const [oldest] = this.#pairs.keys();
    if (this.#pairs.size > MAX_PAIRS && oldest !== undefined) this.#pairs.delete(oldest);
  }
}

/** A plan that begins with what worked the last time; the reason says so. */
export function reordered(plan: readonly PlannedWay[], best: Way | null): PlannedWay[] {
  const known = plan.find(({ way }) => way === best);
  if (!known || known.way === 'relay') return [...plan];
  const first: PlannedWay = { ...known, chance: 'likely', reason: `it worked between these two before; ${known.reason}` };
  return [first, ...plan.filter((way) => way !== known)];
}
