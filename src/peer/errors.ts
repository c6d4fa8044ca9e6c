/** Failures of registering and connecting, each with one wording (docs/errors.md). */
import { fingerprint, formatKeyId, KEY_ID_BYTES } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';

/** The system's code of an error, or of the one that caused it. */
export function systemCode(error: unknown): string {
  const { code, cause } = (error ?? {}) as { code?: unknown; cause?: unknown };
  const inner = (cause as { code?: unknown } | undefined)?.code;
  if (typeof inner === 'string' && inner.startsWith('E')) return inner;
  return typeof code === 'string' ? code : '';
}

export function noServer(): LiteDeskError {
  return new LiteDeskError({
    code: 'SERVER_NOT_SET',
    stage: 'server',
    message: 'No rendezvous server is set.',
    hint: 'Enter the address of a server and its key in the settings (--server and --key on the command line), or the invitation that the server printed.',
  });
}

/** A file of the data folder could not be made or replaced; what was there before is as it was. */
export function dataNotWritten(path: string, cause: unknown): LiteDeskError {
  const code = systemCode(cause);
  return new LiteDeskError(
    {
      code: 'DATA_NOT_WRITTEN',
      stage: 'usage',
      message: `${path} could not be written${code ? ` (${code})` : ''}.`,
      hint: 'Check that the data folder is a folder of your own and that its disk is not full or read-only; --data names another one.',
    },
    { cause },
  );
}

export function serverUnreachable(server: string, cause: unknown): LiteDeskError {
  const code = systemCode(cause);
  if (code === 'ECONNREFUSED')
    return new LiteDeskError(
      {
        code: 'SERVER_REFUSED',
        stage: 'server',
        message: `${server} is there, but nothing listens on that port.`,
        hint: 'Check that the server program runs and that the port is right.',
      },
      { cause },
    );
  return new LiteDeskError(
    {
      code: 'SERVER_UNREACHABLE',
      stage: 'server',
      message: `The server ${server} cannot be reached${code ? ` (${code})` : ''}.`,
      hint: 'Check the address, your network, and that the firewall of the server lets TCP and UDP through.',
    },
    { cause },
  );
}

export function serverSilent(server: string): LiteDeskError {
  return new LiteDeskError({
    code: 'SERVER_NO_ANSWER',
    stage: 'register',
    message: `The server ${server} does not answer registrations.`,
    hint: 'Check that UDP reaches the server (port 21116 by default); a server that supports it is also tried over TCP.',
  });
}

export function registrationRefused(result: string): LiteDeskError {
  const make = (code: string, message: string, hint: string): LiteDeskError => new LiteDeskError({ code, stage: 'register', message, hint });
  switch (result) {
    case 'TOO_FREQUENT':
      return make(
        'REGISTER_TOO_FREQUENT',
        'The server refused the registration (TOO_FREQUENT).',
        'It will be tried again; many registrations came from this address in a short time.',
      );
    case 'NOT_DEPLOYED':
      return make(
        'REGISTER_NOT_DEPLOYED',
        'The server refused the registration (NOT_DEPLOYED).',
        'The server takes new computers only with a good invitation, or when its operator has approved them (`litedesk admin pending`). It is asked again by itself.',
      );
    default:
      return new LiteDeskError({
        code: `REGISTER_${result}`,
        stage: 'register',
        message: `The server refused the registration (${result}).`,
        hint: 'Ask whoever runs the server; its log names the reason.',
      });
  }
}

export function idNotFound(id: string): LiteDeskError {
  return new LiteDeskError({
    code: 'ID_NOT_FOUND',
    stage: 'lookup',
    message: `The server does not know the ID ${id}.`,
    hint: 'Check the digits, and that the other computer uses the same server and has sharing switched on.',
  });
}

export function peerOffline(id: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PEER_OFFLINE',
    stage: 'lookup',
    message: `${id} is known to the server, but not online now.`,
    hint: 'Make sure that the other computer is awake, on the network, and has sharing switched on.',
  });
}

/** `ours` is the key that is set here, `theirs` the id of the server's, where it told one. */
export function keyMismatch(ours: string, theirs: Uint8Array | null | undefined): LiteDeskError {
  const here = ours === '' ? 'no key is set here' : `the one set here has the fingerprint ${fingerprint(ours)}`;
  const there = theirs?.length === KEY_ID_BYTES ? ` the server's has ${formatKeyId(theirs)}` : ' the server has another one';
  return new LiteDeskError({
    code: 'KEY_MISMATCH',
    stage: 'lookup',
    message: `The keys do not fit: ${here},${there}.`,
    hint: 'Compare with `litedesk admin keys` at the server, then copy the key from there or paste its invitation; a wrong key is never ignored.',
  });
}

export function lookupRefused(text: string): LiteDeskError {
  return new LiteDeskError({
    code: 'LOOKUP_REFUSED',
    stage: 'lookup',
    message: `The server refused the connection: ${text}`,
    hint: 'Ask whoever runs the server.',
  });
}

export function peerSilent(id: string, afterMs: number): LiteDeskError {
  return new LiteDeskError({
    code: 'PEER_NO_ANSWER',
    stage: 'lookup',
    message: `${id} did not answer the server within ${Math.round(afterMs / 1000)} s.`,
    hint: 'It may have lost its network a moment ago. Try again in half a minute.',
  });
}

export function punchFailed(detail: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PUNCH_FAILED',
    stage: 'punch',
    message: `No direct path to the other computer: ${detail}`,
    hint: 'Allow the relay, or use a network that lets direct connections through.',
  });
}

export function pathImpossible(path: string, detail: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PATH_NOT_AVAILABLE',
    stage: 'punch',
    message: `The path "${path}" was asked for, but is not available: ${detail}`,
    hint: 'Use --path auto, which takes whatever works.',
  });
}

export function relayUnreachable(relay: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'RELAY_UNREACHABLE',
      stage: 'relay',
      message: `The relay ${relay} cannot be reached.`,
      hint: 'Check that the relay runs and that its port (21117 by default) is open on the server.',
    },
    { cause },
  );
}

export function relayRefused(reason: string): LiteDeskError {
  return new LiteDeskError({
    code: 'RELAY_REFUSED',
    stage: 'relay',
    message: `The other computer refused the relay: ${reason}`,
    hint: 'Look at the other computer for the reason.',
  });
}

export function relayNotPaired(relay: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'RELAY_NOT_PAIRED',
      stage: 'relay',
      message: `The relay ${relay} ended the connection before the other computer joined.`,
      hint: 'Both sides must reach the relay with the same key; check the key of the other computer.',
    },
    { cause },
  );
}

export function directUnreachable(address: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'DIRECT_UNREACHABLE',
      stage: 'punch',
      message: `Nothing answers at ${address}.`,
      hint: 'Direct access must be switched on at the other computer, and its port (21118 by default) be open.',
    },
    { cause },
  );
}

export function directIsPlaintext(address: string): LiteDeskError {
  return new LiteDeskError({
    code: 'HANDSHAKE_PLAINTEXT_REFUSED',
    stage: 'handshake',
    message: `A connection by address to ${address} is not encrypted on this wire, and was therefore refused.`,
    hint: 'Connect by ID instead, or allow the unencrypted connection for this peer.',
  });
}

export function aborted(): LiteDeskError {
  return new LiteDeskError({
    code: 'ABORTED',
    stage: 'session',
    message: 'The connection was cancelled.',
    hint: 'Connect again when you like.',
  });
}

/** The controller is told the same, as the reason of the end. */
export function tooManySessions(address: string, limit: number): LiteDeskError {
  return new LiteDeskError({
    code: 'SESSION_TOO_MANY',
    stage: 'session',
    message: `A session from ${address} was refused: this computer has ${limit} at once already.`,
    hint: 'Close some of them. Tunnels of stock clients take one for each connection, those of LiteDesk one for all.',
  });
}

export function tooManyStrangers(address: string): LiteDeskError {
  return new LiteDeskError({
    code: 'HANDSHAKE_TOO_MANY',
    stage: 'handshake',
    message: `A connection from ${address} was refused: too many others have not logged in yet.`,
    hint: 'They end by themselves; if it goes on, somebody floods this computer from that address.',
  });
}
