import { test } from 'vitest';
import { createLab, type Lab, type LabOptions } from './lab.ts';

/** `test` where each has a lab of its own, as `lab`, which goes with its end. */
export function testInLab(options: LabOptions) {
  return test.extend<{ lab: Lab }>({
    lab: async ({ onTestFinished }, use) => {
      const lab = await createLab(options);
      onTestFinished(() => lab.destroy());
      await use(lab);
    },
  });
}
