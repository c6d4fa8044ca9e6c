/** What the doctor finds wrong, each with one wording (docs/errors.md). */
import { LiteDeskError } from '../../core/errors.ts';

export function silent(what: string, hint: string): LiteDeskError {
  return new LiteDeskError({ code: 'DOCTOR_NO_ANSWER', stage: 'server', message: `${what} does not answer.`, hint });
}

export function wrongSource(asked: string, from: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_WRONG_SOURCE',
    stage: 'server',
    message: `The server was asked at ${asked} and answered from ${from}.`,
    hint: 'NATs and firewalls drop such answers: give clients the other address, or run a server that answers from where it was asked.',
  });
}

export function keyWrong(told: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_KEY_WRONG',
    stage: 'server',
    message: `The server does not hold the secret of the configured key${told === '' ? '' : `: ${told}`}.`,
    hint: 'Copy the key (or the invitation) anew from whoever runs the server; if it was right before, somebody else may answer in its place.',
  });
}

export function keyRefused(told: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_KEY_REFUSED',
    stage: 'lookup',
    message: `The server refuses the configured key${told === '' ? '' : `: ${told}`}.`,
    hint: 'Copy the key (or the invitation) anew from whoever runs the server.',
  });
}

export function registerRefused(result: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_NOT_REGISTERED',
    stage: 'register',
    message: `The server refuses to register the doctor's own id (${result}).`,
    hint: 'Ask whoever runs the server; its log names the reason. Introduction and relay cannot be tested without it.',
  });
}

export function notIntroduced(why: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_NOT_INTRODUCED',
    stage: 'lookup',
    message: `The server did not introduce a computer that had just registered (${why}).`,
    hint: 'Its answers by UDP may not arrive here: check the firewalls for UDP in both directions.',
  });
}

export function relaySilent(relay: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_RELAY_FAILED',
    stage: 'relay',
    message: `The relay ${relay} did not join two connections.`,
    hint: 'Check that its port is open, that it runs with the same key as the server, and that its address can be reached from outside.',
  });
}

export function relayCut(relay: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_RELAY_REFUSED',
    stage: 'relay',
    message: `The relay ${relay} closed the connection without a word.`,
    hint: 'It does so for a wrong key, and for sessions that its server did not introduce: give it the key of the server.',
  });
}
