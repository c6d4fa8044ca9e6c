/** Where in the life of a connection something failed; stable, shown to people and scripts (docs/errors.md). */
export const STAGES = [
  'usage',
  'dns',
  'server',
  'register',
  'lookup',
  'punch',
  'relay',
  'handshake',
  'login',
  'session',
] as const;
export type Stage = (typeof STAGES)[number];

/** A failure as data: what crosses IPC and what `--json` prints. */
export interface ErrorData {
  readonly code: string;
  readonly stage: Stage;
  /** What happened, one sentence, in English. */
  readonly message: string;
  /** What the user can do next, one sentence, in English. */
  readonly hint: string;
}

/**
 * The one family of errors. `code` is UPPER_SNAKE and never changes its meaning; `cause` is the underlying error.
 * Make them with the factories of the module that detects the failure, so that a code has one wording.
 */
export class LiteDeskError extends Error implements ErrorData {
  override readonly name = 'LiteDeskError';
  readonly code: string;
  readonly stage: Stage;
  readonly hint: string;

  constructor(data: ErrorData, options?: { cause?: unknown }) {
    super(data.message, options);
    this.code = data.code;
    this.stage = data.stage;
    this.hint = data.hint;
  }

  toData(): ErrorData {
    return { code: this.code, stage: this.stage, message: this.message, hint: this.hint };
  }
}

/** The only exception that decoders in core/wire and core/crypto throw: the bytes are not what they claim to be. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly code: string;

  constructor(code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
