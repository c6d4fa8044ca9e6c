import { LiteDeskError } from '../../core/errors.ts';
import type { StreamCode } from '../../core/mux/index.ts';

const CODES: Readonly<Record<string, StreamCode>> = {
  DNS_FAILED: 'dns',
  TCP_REFUSED: 'refused',
  TCP_TIMEOUT: 'timeout',
  TCP_UNREACHABLE: 'unreachable',
  TCP_RESET: 'target-reset',
  ABORTED: 'cancelled',
};

/** What a failure to reach a target is called on a stream. */
export function dialCode(error: unknown): StreamCode {
  return error instanceof LiteDeskError ? (CODES[error.code] ?? 'unreachable') : 'internal';
}
