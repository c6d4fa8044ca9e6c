import { keyFingerprint } from '../core/crypto/fingerprint.ts';
import { LiteDeskError } from '../core/errors.ts';

function make(code: string, message: string, hint: string, cause?: unknown): LiteDeskError {
  return new LiteDeskError({ code, stage: 'handshake', message, hint }, cause === undefined ? {} : { cause });
}

/** A known computer has another key: what people need to compare the two. */
export class HostKeyChangedError extends LiteDeskError {
  /** Ed25519, 32 bytes each: as it was known, and as the server names it now. */
  readonly pinned: Uint8Array;
  readonly offered: Uint8Array;

  constructor(error: LiteDeskError, pinned: Uint8Array, offered: Uint8Array) {
    super(error.toData());
    this.pinned = pinned;
    this.offered = offered;
  }
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
  keyChanged: (id: string, pinned: Uint8Array, offered: Uint8Array): HostKeyChangedError => {
    const error = make(
      'HANDSHAKE_KEY_CHANGED',
      `${id} is not the computer that was connected before: its key was ${keyFingerprint(pinned)}, now the server names ${keyFingerprint(offered)}.`,
      `If it was set up anew, compare with what "litedesk pins" shows there, then run "litedesk pins forget ${id}" here; otherwise somebody is between you.`,
    );
    return new HostKeyChangedError(error, pinned, offered);
  },
  fingerprintDiffers: (id: string, wanted: string, offered: Uint8Array): LiteDeskError =>
    make(
      'HANDSHAKE_FINGERPRINT_DIFFERS',
      `The key of ${id} has the fingerprint ${keyFingerprint(offered)}, not ${wanted}.`,
      'Read the fingerprint off the other computer again ("litedesk pins" shows it there); if it is right, somebody is between you.',
    ),
  nativeWithheld: (id: string): LiteDeskError =>
    make(
      'HANDSHAKE_DOWNGRADE_REFUSED',
      `${id} used to speak the protected link of LiteDesk and now offers only the older one.`,
      `If an older or another program was installed there, run "litedesk pins allow-older ${id}"; otherwise do not connect.`,
    ),
  nativeMissing: (id: string): LiteDeskError =>
    make(
      'HANDSHAKE_NATIVE_MISSING',
      `${id} does not offer the protected link of LiteDesk, and nothing less was to be taken.`,
      'Update LiteDesk there; for another program, connect without the restriction to protected links.',
    ),
  nativeUnsupported: (cause?: unknown): LiteDeskError =>
    make(
      'HANDSHAKE_NATIVE_UNSUPPORTED',
      'The two computers have no version of the protected link in common.',
      'Update LiteDesk on both computers.',
      cause,
    ),
  notConfirmed: (cause?: unknown): LiteDeskError =>
    make(
      'HANDSHAKE_NOT_CONFIRMED',
      'The other end does not hold the keys that were agreed: somebody changed or copied the key exchange.',
      'Try another network; if it happens again, something between the computers tampers with the connection.',
      cause,
    ),
  joinRefused: (cause?: unknown): LiteDeskError =>
    make(
      'HANDSHAKE_JOIN_REFUSED',
      'A path could not join its session: the session is over, or the other end does not know its secret.',
      'Connect again; the session begins anew.',
      cause,
    ),
  badIdentity: (cause?: unknown): LiteDeskError =>
    make(
      'HANDSHAKE_BAD_IDENTITY',
      'The controlling computer does not prove the identity that it claims.',
      'Restart LiteDesk there; if it happens again, somebody pretends to be that computer.',
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

/** Raw bytes were asked for on a native link. */
export function rawRefused(): LiteDeskError {
  return new LiteDeskError({
    code: 'NATIVE_LINK_STAYS_SEALED',
    stage: 'session',
    message: 'A tunnel in clear was asked for on a protected link, which has none.',
    hint: 'Use "litedesk forward", which keeps the tunnel encrypted; report this if you did.',
  });
}
