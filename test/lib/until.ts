/** For tests: waiting for a state that no event tells of. */
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';

/** A loop without an end would outlive its test; longer than anything takes on a busy machine. */
const LIMIT_MS = 120_000;

/** Waits until `condition` holds, which is looked at in each turn of the event loop, or every so many ms. Throws after two minutes. */
export async function until(condition: () => boolean | Promise<boolean>, everyMs = 0): Promise<void> {
  const limit = performance.now() + LIMIT_MS;
  while (!(await condition())) {
    if (performance.now() > limit) throw new Error(`never came true: ${condition}`);
    await (everyMs > 0 ? pause(everyMs) : turn());
  }
}
