import type { Result } from '../shared/ipc.ts';

/** A failure as it crosses the bridge. */
export type ErrorData = Extract<Result<never>, { ok: false }>['error'];
export type Stage = ErrorData['stage'];
