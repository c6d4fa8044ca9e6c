import { LiteDeskError, type Stage } from '../core/errors.ts';

/** The system's code of an error (`ECONNREFUSED` …), or an empty string. */
export function systemCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}

/** What an operation that was given up through its AbortSignal throws: the signal's own LiteDeskError, or ABORTED. */
export function abortError(signal: AbortSignal, stage: Stage): LiteDeskError {
  const reason: unknown = signal.reason;
  if (reason instanceof LiteDeskError) return reason;
  return new LiteDeskError(
    {
      code: 'ABORTED',
      stage,
      message: 'The operation was cancelled.',
      hint: 'Try again when you are ready.',
    },
    { cause: reason },
  );
}

/** Names a failed dial to `target` (`host:port`). The system's error is the cause. */
export function dialError(cause: unknown, target: string, stage: Stage): LiteDeskError {
  const make = (code: string, message: string, hint: string): LiteDeskError =>
    new LiteDeskError({ code, stage, message, hint }, { cause });
  switch (systemCode(cause)) {
    case 'ECONNREFUSED':
      return make(
        'TCP_REFUSED',
        `${target} refused the connection.`,
        'Check that the program is running there and that the port is right.',
      );
    case 'ETIMEDOUT':
      return dialTimeout(target, stage, cause);
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
      return make(
        'TCP_UNREACHABLE',
        `There is no route to ${target}.`,
        'Check the network connection of this computer and the address.',
      );
    case 'EADDRINUSE':
    case 'EADDRNOTAVAIL':
    case 'EACCES':
      return make(
        'TCP_LOCAL_PORT',
        `The local port for the connection to ${target} cannot be used (${systemCode(cause)}).`,
        'Another program may hold the port; try again.',
      );
    case 'ECONNRESET':
    case 'EPIPE':
      return make(
        'TCP_RESET',
        `${target} broke the connection off.`,
        'A firewall or the other program cut the connection; try again.',
      );
    default:
      return make(
        'TCP_FAILED',
        `The connection to ${target} failed (${systemCode(cause) || String(cause)}).`,
        'Check the network connection of this computer and the address.',
      );
  }
}

export function dialTimeout(target: string, stage: Stage, cause?: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'TCP_TIMEOUT',
      stage,
      message: `${target} did not answer in time.`,
      hint: 'The computer may be off, or a firewall drops the packets; check the address and the port.',
    },
    { cause },
  );
}

/** A link that broke after it had worked. */
export function linkError(cause: unknown, remote: string): LiteDeskError {
  if (cause instanceof LiteDeskError) return cause;
  const why = systemCode(cause) || (cause instanceof Error ? cause.message : String(cause));
  return new LiteDeskError(
    {
      code: 'LINK_BROKEN',
      stage: 'session',
      message: `The connection to ${remote} broke (${why}).`,
      hint: 'Check the network on both sides and connect again.',
    },
    { cause },
  );
}

/** The other side ended the stream in the middle of a frame. */
export function truncatedError(remote: string): LiteDeskError {
  return new LiteDeskError({
    code: 'LINK_TRUNCATED',
    stage: 'session',
    message: `${remote} ended the connection in the middle of a message.`,
    hint: 'The other program may have crashed; connect again.',
  });
}

/** What arrived cannot be a frame, or is larger than anything that may come. */
export function protocolError(cause: unknown, remote: string): LiteDeskError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new LiteDeskError(
    {
      code: 'LINK_PROTOCOL',
      stage: 'session',
      message: `${remote} sent something that is not part of the protocol (${why}).`,
      hint: 'Check that the address belongs to LiteDesk or a compatible program.',
    },
    { cause },
  );
}

/** Our own side queued more than the link may hold. */
export function overflowError(remote: string): LiteDeskError {
  return new LiteDeskError({
    code: 'LINK_OVERFLOW',
    stage: 'session',
    message: `More data waits for ${remote} than may be kept, because it does not read.`,
    hint: 'The other computer or the network is stuck; connect again.',
  });
}
