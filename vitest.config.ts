import { defineConfig } from 'vitest/config';

/** Until something is as it should be; the second that vitest gives it by itself is not enough on a busy machine. */
const EXPECT = { poll: { timeout: 30_000 } };
/** Files that load the whole machine, or see how long something takes: nothing runs beside them. */
const ALONE = ['e2e/app/**/*.test.ts', 'e2e/attacks/**/*.test.ts', 'e2e/cluster/**/*.test.ts', 'e2e/grid/**/*.test.ts'];
const E2E = { environment: 'node', expect: EXPECT, testTimeout: 300_000, hookTimeout: 300_000 } as const;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'src/**/*.test.tsx', 'test/**/*.test.ts'],
          environment: 'node',
          expect: EXPECT,
          // The largest take seconds where nothing else runs.
          testTimeout: 180_000,
          hookTimeout: 60_000,
        },
      },
      // Each file has networks of its own and mostly waits, so two at a time; the others when these are through.
      { test: { ...E2E, name: 'e2e', include: ['e2e/**/*.test.ts'], exclude: ALONE, maxWorkers: 2, sequence: { groupOrder: 1 } } },
      { test: { ...E2E, name: 'e2e-alone', include: ALONE, maxWorkers: 1, fileParallelism: false, sequence: { groupOrder: 2 } } },
    ],
  },
});
