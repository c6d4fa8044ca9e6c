/** One line of the doctor's report. */
import { LiteDeskError } from '../../core/errors.ts';

/** `skip`: not tested, or cannot be known from here; says neither yes nor no. */
export type CheckStatus = 'ok' | 'warn' | 'fail' | 'skip';

export interface Finding {
  readonly status: CheckStatus;
  /** What was seen, in one sentence. */
  readonly detail: string;
  /** What to do next; '' when there is nothing to do. */
  readonly hint?: string;
  /** The error's code (docs/errors.md). */
  readonly code?: string;
  /** What was found out, one by one: yes, no or not-tested. */
  readonly facts?: Readonly<Record<string, string>>;
  /** What it took, where that says something. */
  readonly ms?: number;
}

export interface Check extends Finding {
  readonly name: string;
}

export function ok(detail: string, ms?: number): Finding {
  return { status: 'ok', detail, ...(ms === undefined ? {} : { ms: round(ms) }) };
}

export function skip(detail: string, hint = ''): Finding {
  return { status: 'skip', detail, hint };
}

/** Something that sessions go on without. */
export function warn(error: LiteDeskError): Finding {
  return { status: 'warn', code: error.code, detail: error.message, hint: error.hint };
}

export function fail(error: LiteDeskError): Finding {
  return { status: 'fail', code: error.code, detail: error.message, hint: error.hint };
}

/** The same without the blame: something that clients can do without. */
export function asWarning(finding: Finding, hint = finding.hint): Finding {
  return finding.status === 'fail' ? { ...finding, status: 'warn', ...(hint === undefined ? {} : { hint }) } : finding;
}

/** Milliseconds as people read them. */
export function round(ms: number): number {
  return ms < 10 ? Math.round(ms * 100) / 100 : Math.round(ms);
}

/** What a step throws, as a finding; a deadline that passed is named by `silent`. */
export function findingOf(error: unknown, silent: LiteDeskError, late: AbortSignal): Finding {
  if (late.aborted) return fail(silent);
  if (error instanceof LiteDeskError) return fail(error.code === 'ABORTED' ? silent : error);
  return fail(
    new LiteDeskError(
      {
        code: 'DOCTOR_FAILED',
        stage: 'server',
        message: `The test could not be made: ${error instanceof Error ? error.message : String(error)}.`,
        hint: 'Check the network connection of this computer, and report it when it goes on.',
      },
      { cause: error },
    ),
  );
}
