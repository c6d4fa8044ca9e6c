/** What an operator's command about enrolment may end with. */
import { LiteDeskError } from '../../core/errors.ts';
import { MAX_TOKENS } from './state.ts';

export function tooMany(): LiteDeskError {
  return new LiteDeskError({
    code: 'ENROLMENT_TOO_MANY',
    stage: 'server',
    message: `There are ${MAX_TOKENS} open invitations already.`,
    hint: 'Revoke some with `litedesk admin invite revoke NAME`, or make one that many computers may use.',
  });
}

export function unknownToken(name: string): LiteDeskError {
  return new LiteDeskError({
    code: 'ENROLMENT_UNKNOWN_TOKEN',
    stage: 'usage',
    message: `No single invitation is called "${name}".`,
    hint: '`litedesk admin invite list` shows the names; four digits or more of one are enough.',
  });
}

export function notWaiting(id: string): LiteDeskError {
  return new LiteDeskError({
    code: 'ENROLMENT_NOT_WAITING',
    stage: 'usage',
    message: `No computer with the ID ${id} waits to be let in.`,
    hint: '`litedesk admin pending` shows who waits; a computer shows up there once it has asked.',
  });
}
