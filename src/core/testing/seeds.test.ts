import { afterEach, expect, test, vi } from 'vitest';
import { forEachSeed, seededRandom } from './seeds.ts';

afterEach(() => vi.unstubAllEnvs());

async function seedsOf(count: number): Promise<number[]> {
  const seen: number[] = [];
  await forEachSeed(count, (_, seed) => void seen.push(seed));
  return seen;
}

test('every seed once; SEED picks one, SEEDS sets how many', async () => {
  vi.stubEnv('SEED', '');
  vi.stubEnv('SEEDS', '');
  expect(await seedsOf(4)).toEqual([1, 2, 3, 4]);
  vi.stubEnv('SEEDS', '2');
  expect(await seedsOf(4)).toEqual([1, 2]);
  vi.stubEnv('SEED', '4711');
  expect(await seedsOf(4)).toEqual([4711]);
  vi.stubEnv('SEED', 'x');
  await expect(seedsOf(4)).rejects.toThrow('SEED=x is not a whole number');
});

test('what holds over many cases alone is not asked of one', async () => {
  const asked: number[] = [];
  const ask = (count: number): Promise<void> => forEachSeed(count, () => {}, (cases) => void asked.push(cases));
  vi.stubEnv('SEED', '17');
  vi.stubEnv('SEEDS', '');
  await ask(4);
  vi.stubEnv('SEED', '');
  vi.stubEnv('SEEDS', '3');
  await ask(4);
  expect(asked).toEqual([]);
  vi.stubEnv('SEEDS', '');
  await ask(4);
  vi.stubEnv('SEEDS', '9');
  await ask(4);
  expect(asked).toEqual([4, 9]);
});

test('a failure names its seed, whether it comes at once or later', async () => {
  vi.stubEnv('SEED', '');
  const atOnce = forEachSeed(9, (_, seed) => {
    if (seed === 3) throw new Error('lost a byte');
  });
  await expect(atOnce).rejects.toThrow('seed 3: lost a byte\n(SEED=3 runs this case alone)');
  const later = forEachSeed(9, async (_, seed) => {
    await Promise.resolve();
    if (seed === 5) throw new Error('lost a byte');
  });
  await expect(later).rejects.toThrow('seed 5');
});

test('the same seed gives the same numbers, within their limits', () => {
  const draw = (seed: number): unknown[] => {
    const random = seededRandom(seed);
    return Array.from({ length: 50 }, () => [
      random.below(7),
      random.between(3, 5),
      random.chance(0.5),
      random.pick('abc'.split('')),
    ]);
  };
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  for (const [below, between] of draw(3) as [number, number][]) {
    expect(below).toBeGreaterThanOrEqual(0);
    expect(below).toBeLessThan(7);
    expect([3, 4, 5]).toContain(between);
  }
  expect(seededRandom(1).bytes(16)).toEqual(seededRandom(1).bytes(16));
});
