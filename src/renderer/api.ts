import type { ErrorData } from './errors.ts';
import type { LiteDeskApi, Result } from '../shared/ipc.ts';

declare global {
  interface Window {
    litedesk: LiteDeskApi;
  }
}

/** The bridge of the preload script; a function, so that tests and the development page can install theirs first. */
export function api(): LiteDeskApi {
  return window.litedesk;
}

/** Waits for a command and turns a broken bridge into an error like any other. */
export async function settle<T>(command: Promise<Result<T>>): Promise<Result<T>> {
  try {
    return await command;
  } catch (cause) {
    const error: ErrorData = {
      code: 'BRIDGE_FAILED',
      stage: 'usage',
      message: `The window could not reach the program: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Close this window and open it again.',
    };
    return { ok: false, error };
  }
}
