/** A port that cannot be opened, in words. */
import { LiteDeskError } from '../core/errors.ts';

export function listenError(what: string, host: string, port: number, cause: unknown): LiteDeskError {
  const make = (code: string, message: string, hint: string): LiteDeskError =>
    new LiteDeskError({ code, stage: 'server', message, hint }, { cause });
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const where = `${what} ${host.includes(':') ? `[${host}]` : host}:${port}`;
  switch (code) {
    case 'EADDRINUSE':
      return make(
        'PORT_IN_USE',
        `The server cannot listen on ${where}: another program uses the port.`,
        'Stop the other program (perhaps another server), or choose other ports with --port and --relay-port.',
      );
    case 'EACCES':
    case 'EPERM':
      return make(
        'PORT_NOT_ALLOWED',
        `The server may not listen on ${where}.`,
        'Choose ports above 1023, or give the program the right to bind low ports.',
      );
    case 'EADDRNOTAVAIL':
      return make(
        'ADDRESS_NOT_HERE',
        `The server cannot listen on ${where}: this computer does not have the address (${code}).`,
        'Give an address of this computer with --bind, or leave it out to listen on all of them.',
      );
    default:
      return make(
        'LISTEN_FAILED',
        `The server cannot listen on ${where} (${code ?? String(cause)}).`,
        'Give an address of this computer with --bind, or leave it out to listen on all of them.',
      );
  }
}
