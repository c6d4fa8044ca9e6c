import type { ConnectProgress } from '../../shared/ipc.ts';

export type Step = ConnectProgress['step'];
export type StepState = 'done' | 'current' | 'pending' | 'skipped';

export const STEPS: readonly Step[] = ['lookup', 'punch', 'relay', 'handshake', 'login'];

/**
 * How each step stands, from those seen so far in order. The relay is only used where the direct path fails, so it is
 * skipped once a later step runs without it.
 */
export function stepStates(seen: readonly Step[]): ReadonlyMap<Step, StepState> {
  const current = seen.at(-1);
  const at = current === undefined ? -1 : STEPS.indexOf(current);
  return new Map(
    STEPS.map((step, index) => {
      if (step === current) return [step, 'current'];
      if (seen.includes(step)) return [step, 'done'];
      return [step, index < at ? 'skipped' : 'pending'];
    }),
  );
}
