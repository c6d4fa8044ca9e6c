import type { InputInjector } from '../../core/session/contract.ts';

export interface PlatformInjector extends InputInjector {
  /** Puts back what was changed and lets go of the system. */
  close(): void;
}
