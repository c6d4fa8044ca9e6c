import { LiteDeskError } from '../core/errors.ts';

function make(code: string, message: string, hint: string, cause?: unknown): LiteDeskError {
  return new LiteDeskError({ code, stage: 'handshake', message, hint }, cause === undefined ? {} : { cause });
}

const ALLOW =
  'Only if you accept that others can read and change this session, allow unencrypted sessions for this computer.';

/** The failures of the key exchange, one wording each. */
export const handshakeErrors = {
  noKey: (id: string): LiteDeskError =>
    make(
      'HANDSHAKE_NO_KEY',
      `The server gave no signed key for ${id}, so nobody can tell whether it is the right computer.`,
      `Check that the server key in the settings is the key of this server. ${ALLOW}`,
    ),
  badSignature: (id: string): LiteDeskError =>
    make(
      'HANDSHAKE_BAD_SIGNATURE',
      `Key mismatch: the computer that answered for ${id} does not hold the key that the server knows.`,
      'Either it was set up anew and the server has not noticed yet (restart LiteDesk there, try again in a minute), or somebody is between you.',
    ),
  wrongId: (id: string, answered: string): LiteDeskError =>
    make(
      'HANDSHAKE_WRONG_ID',
      `The computer that answered calls itself ${printable(answered)}, not ${id}.`,
      'Its ID may have changed or the network led elsewhere; check the ID and try again.',
    ),
  timeout: (timeoutMs: number): LiteDeskError =>
    make(
      'HANDSHAKE_TIMEOUT',
      `The other computer did not take part in the key exchange within ${Math.ceil(timeoutMs / 1000)} s.`,
      'The connection may be very slow or the other program stuck; try again.',
    ),
  peerClosed: (cause?: unknown): LiteDeskError =>
    make(
      'HANDSHAKE_PEER_CLOSED',
      'The other computer closed the connection during the key exchange.',
      'It may not accept unencrypted or unknown controllers, or it was just closed; try again.',
      cause,
    ),
  plaintextRefused: (): LiteDeskError =>
    make(
      'HANDSHAKE_PLAINTEXT_REFUSED',
      'The other computer wants a session without encryption, which is not allowed.',
      `Check that both computers have the same server and server key. ${ALLOW}`,
    ),
  invalidKey: (cause?: unknown): LiteDeskError =>
    make(
      'HANDSHAKE_INVALID_KEY',
      'The other computer sent a key that cannot be used.',
      'Its program is faulty or the data was changed on the way; update it and try again.',
      cause,
    ),
  malformed: (cause?: unknown): LiteDeskError =>
    make(
      'HANDSHAKE_MALFORMED',
      'The other side answered the key exchange with something that is not part of the protocol.',
      'Check that the address belongs to LiteDesk or a compatible program.',
      cause,
    ),
};

/** An id from the network, fit for a message: bounded and without control characters. */
function printable(text: string): string {
  return `“${text.slice(0, 64).replace(/[^\x21-\x7e]/g, '?')}”`;
}

/** A sealed frame that does not open (rendezvous §11.5). */
export function sealError(cause: unknown, remote: string): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'SEAL_BROKEN',
      stage: 'session',
      message: `A message from ${remote} was damaged or changed on the way.`,
      hint: 'Connect again; if it happens often, something on the network tampers with the data.',
    },
    { cause },
  );
}
