import { LiteDeskError } from '../errors.ts';

function make(code: string, message: string, hint: string, cause?: unknown): LiteDeskError {
  return new LiteDeskError({ code, stage: 'session', message, hint }, cause === undefined ? {} : { cause });
}

/** How a link over several paths can end, one wording each. */
export const multipathErrors = {
  lost: (waitedMs: number): LiteDeskError =>
    make(
      'SESSION_PATHS_LOST',
      `The other computer could not be reached by any way for ${Math.round(waitedMs / 1000)} s.`,
      'Check the network of both computers and connect again.',
    ),
  closedByPeer: (reason: string): LiteDeskError =>
    make('SESSION_CLOSED_BY_PEER', `The other computer ended the connection: ${reason}.`, 'Connect again.'),
  protocol: (what: string, cause?: unknown): LiteDeskError =>
    make(
      'SESSION_PATH_PROTOCOL',
      `The other computer broke the rules of the connection: ${what}.`,
      'Its program may be faulty; update it and connect again.',
      cause,
    ),
  notRead: (): LiteDeskError =>
    make(
      'SESSION_NOT_READ',
      'Far more was to be sent than the connection takes.',
      'The connection or the other computer is too slow for what it was asked to carry; connect again.',
    ),
};
