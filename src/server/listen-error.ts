/** A port that cannot be opened, in words. */
import { LiteDeskError } from '../core/errors.ts';

export function listenError(what: string, host: string, port: number, cause: unknown): LiteDeskError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  const where = `${what} ${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (code === 'EADDRINUSE')
    return new LiteDeskError(
      {
        code: 'PORT_IN_USE',
        stage: 'server',
        message: `The server cannot listen on ${where}: another program uses the port.`,
        hint: 'Stop the other program (perhaps another server), or choose other ports with --port and --relay-port.',
      },
      { cause },
    );
  if (code === 'EACCES' || code === 'EPERM')
    return new LiteDeskError(
      {
        code: 'PORT_NOT_ALLOWED',
        stage: 'server',
        message: `The server may not listen on ${where}.`,
        hint: 'Choose ports above 1023, or give the program the right to bind low ports.',
      },
      { cause },
    );
  return new LiteDeskError(
    {
      code: code === 'EADDRNOTAVAIL' ? 'ADDRESS_NOT_HERE' : 'LISTEN_FAILED',
      stage: 'server',
      message: `The server cannot listen on ${where}${code ? ` (${code})` : ''}.`,
      hint: 'Give an address of this computer with --bind, or leave it out to listen on all of them.',
    },
    { cause },
  );
}
