// A reporter of vitest that writes down which tests passed only when they were tried again.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';

export default class FlakyReporter {
  #names = [];

  onTestCaseResult(test) {
    if (test.diagnostic()?.flaky !== true) return;
    this.#names.push(`${relative(process.cwd(), test.module.moduleId)} › ${test.fullName.replaceAll(' > ', ' ')}`);
  }

  onTestRunEnd() {
    if (process.env.FLAKY_REPORT !== undefined) writeFileSync(process.env.FLAKY_REPORT, JSON.stringify(this.#names));
  }
}
