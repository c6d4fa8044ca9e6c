/** What the doctor finds wrong, each with one wording (docs/errors.md). */
import { LiteDeskError } from '../../core/errors.ts';

export function silent(what: string, next: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_NO_ANSWER',
    stage: 'server',
    message: `${what} does not answer.`,
    hint: next === '' ? 'Check that the server runs, and that the firewalls on the way let its ports through.' : next,
  });
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
  const why = told === '' ? '' : `: ${told}`;
  return new LiteDeskError({
    code: 'DOCTOR_KEY_WRONG',
    stage: 'server',
    message: `The server does not hold the secret of the configured key${why}.`,
    hint: 'Copy the key (or the invitation) anew from whoever runs the server; if it was right before, somebody else may answer in its place.',
  });
}

/** `configured`: a key was given; without one the server refuses whoever asks for a peer. */
export function keyRefused(told: string, configured: boolean): LiteDeskError {
  const why = told === '' ? '' : `: ${told}`;
  return new LiteDeskError({
    code: 'DOCTOR_KEY_REFUSED',
    stage: 'lookup',
    message: configured ? `The server refuses the configured key${why}.` : `The server introduces nobody without its key, and none is configured${why}.`,
    hint: configured ? 'Copy the key (or the invitation) anew from whoever runs the server.' : 'Give --key, or the invitation, as whoever runs the server has it.',
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

export function udpLoss(seen: string, lost: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_UDP_LOSS',
    stage: 'server',
    message: `${seen} ${lost} got no answer.`,
    hint: 'Packets are lost on the way: check the line, or a firewall that limits UDP.',
  });
}

export function noUdpNatTest(): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_NO_UDP_NAT_TEST',
    stage: 'server',
    message: 'The UDP NAT test is not answered.',
    hint: 'Stock hbbs does not know it; connections through NATs then use TCP, or the relay. `litedesk server` answers it.',
  });
}

export function tooFrequent(): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_TOO_FREQUENT',
    stage: 'register',
    message: 'The server takes no more registrations from here for now.',
    hint: 'Wait a minute, then run the doctor again.',
  });
}

export function notSigned(): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_NOT_SIGNED',
    stage: 'lookup',
    message: 'The server signs no ids.',
    hint: 'Its sessions are not encrypted with stock clients: run it with a key pair (-k _ with hbbs), not with a text as key.',
  });
}

export function noKey(): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_NO_KEY',
    stage: 'server',
    message: 'No key is configured.',
    hint: 'Give --key, or the invitation: without it nobody can tell this server from another one.',
  });
}

export function keyIsText(): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_KEY_TEXT',
    stage: 'server',
    message: 'The configured key is a text and no public key.',
    hint: 'It admits clients, but proves nothing about the server, and stock clients do not encrypt.',
  });
}

export function natSymmetric(ports: string, more: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_NAT_SYMMETRIC',
    stage: 'punch',
    message: `The NAT takes another public port for each destination (${ports}).${more}`,
    hint: 'Most sessions of this computer will go through the relay. A port forward, IPv6, or another router setting (“full cone”) helps.',
  });
}

export function clocksApart(how: string): LiteDeskError {
  return new LiteDeskError({
    code: 'DOCTOR_CLOCK',
    stage: 'server',
    message: `The clock of the server is ${how} this one.`,
    hint: 'Set both clocks by the network (NTP): tickets, invitations and certificates depend on the time.',
  });
}

export function doubleNat(gateway: string, outside: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PORT_MAP_DOUBLE_NAT',
    stage: 'server',
    message: `The gateway ${gateway} opens ports, but its own address outside (${outside}) is behind another NAT: nobody arrives from the Internet.`,
    hint: 'Where the outer NAT is a router of yours, set one of the two to bridge mode; a carrier’s NAT can only be passed by other paths or IPv6.',
  });
}
