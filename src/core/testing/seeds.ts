/**
 * Randomised tests that can be run again: every case has a number, its seed, from which all its randomness follows.
 *
 *     SEED=17 vitest run …      runs case 17 alone
 *     SEEDS=100000 vitest run … runs that many cases instead of the number in the test
 */

/** Random numbers that are the same for the same seed. */
export interface SeededRandom {
  /** In [0, 1). */
  next(): number;
  /** An integer in [0, limit). */
  below(limit: number): number;
  /** An integer in [from, to], both included. */
  between(from: number, to: number): number;
  /** True with that probability. */
  chance(probability: number): boolean;
  /** One of them; the list must not be empty. */
  pick<T>(items: readonly T[]): T;
  bytes(length: number): Uint8Array;
}

export type SeedRun = (random: SeededRandom, seed: number) => void | Promise<void>;

/**
 * Runs `run` for the seeds 1 to `count`, or for the one in the environment's SEED alone. What a run throws is thrown
 * again with its seed in front. `together` checks what only holds over many cases, such as shares and varieties: it is called
 * at the end with how many there were, unless these were fewer than `count`.
 */
export async function forEachSeed(count: number, run: SeedRun, together?: (cases: number) => void): Promise<void> {
  const only = seedFrom('SEED');
  const last = only ?? seedFrom('SEEDS') ?? count;
  const first = only ?? 1;
  for (let seed = first; seed <= last; seed++) {
    try {
      const running = run(seededRandom(seed), seed);
      // Most runs are synchronous; thousands of needless turns of the event loop are seconds.
      if (running) await running;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`seed ${seed}: ${reason}\n(SEED=${seed} runs this case alone)`, { cause: error });
    }
  }
  const cases = last - first + 1;
  if (cases >= count) together?.(cases);
}

/** mulberry32: small and fast, and good enough to be unkind. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    between: (from, to) => from + below(to - from + 1),
    chance: (probability) => next() < probability,
    pick: <T>(items: readonly T[]): T => items[below(items.length)] as T,
    bytes: (length) => Uint8Array.from({ length }, () => below(256)),
  };
}

function seedFrom(name: 'SEED' | 'SEEDS'): number | undefined {
  const text = process.env[name];
  if (text === undefined || text === '') return undefined;
  const seed = Number(text);
  if (!Number.isSafeInteger(seed) || seed < 0) throw new Error(`${name}=${text} is not a whole number`);
  return seed;
}
