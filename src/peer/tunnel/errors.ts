import { type ErrorData, LiteDeskError } from '../../core/errors.ts';
import type { StreamCode } from '../../core/mux/index.ts';

/** A stream that ended with a reset, in words for the person at this end; `target` as they wrote it. */
export function streamError(code: StreamCode, target: string, reason: string): LiteDeskError {
  return new LiteDeskError(streamErrorData(code, target, reason));
}

function streamErrorData(code: StreamCode, target: string, reason: string): ErrorData {
  const because = reason === '' ? '' : ` (${reason})`;
  switch (code) {
    case 'refused-by-rule':
      return {
        code: 'TUNNEL_NOT_ALLOWED',
        stage: 'session',
        message: `The other computer does not allow ${target}${because}.`,
        hint: `Add a rule there, for example \`litedesk host --allow ${target}\`; loopback and link-local addresses need a rule that names them.`,
      };
    case 'dns':
      return {
        code: 'TUNNEL_DNS_FAILED',
        stage: 'session',
        message: `The name in ${target} does not resolve at the other computer${because}.`,
        hint: 'Names are looked up there; check the spelling, or give an address.',
      };
    case 'refused':
      return {
        code: 'TUNNEL_TARGET_REFUSED',
        stage: 'session',
        message: `Nothing listens at ${target}, as the other computer sees it.`,
        hint: 'Start the service, and check host and port from the other computer.',
      };
    case 'unreachable':
      return {
        code: 'TUNNEL_TARGET_UNREACHABLE',
        stage: 'session',
        message: `The other computer has no way to ${target}${because}.`,
        hint: 'Check the address, and the network on the other side.',
      };
    case 'timeout':
      return {
        code: 'TUNNEL_TARGET_TIMEOUT',
        stage: 'session',
        message: `${target} did not answer the other computer in time.`,
        hint: 'It may be off, or a firewall on the other side drops the packets.',
      };
    case 'unknown-service':
    case 'unavailable':
      return {
        code: 'TUNNEL_NO_SERVICE',
        stage: 'session',
        message: `The other computer does not offer ${target}${because}.`,
        hint: 'Ask its owner under which name it is published, and whether it is running.',
      };
    case 'too-many-streams':
    case 'too-many-opens':
    case 'overloaded':
      return {
        code: 'TUNNEL_BUSY',
        stage: 'session',
        message: `Too many connections go through this tunnel${because}.`,
        hint: 'Close some, or use a second tunnel; the limits are in docs/tunnels.md.',
      };
    case 'link-lost':
      return {
        code: 'TUNNEL_LINK_LOST',
        stage: 'session',
        message: `The connection to the other computer was lost${because}.`,
        hint: 'It is being restored; open the connection again.',
      };
    default:
      return {
        code: 'TUNNEL_STREAM_RESET',
        stage: 'session',
        message: `The connection to ${target} broke: ${code}${because}.`,
        hint: 'Try again; the log of the other computer has a line about it.',
      };
  }
}

export function linkNotThere(afterMs: number, last: ErrorData | null): LiteDeskError {
  return new LiteDeskError({
    code: 'TUNNEL_LINK_DOWN',
    stage: 'session',
    message: `There has been no connection to the other computer for ${Math.round(afterMs / 1000)} s${last ? `: ${last.message}` : '.'}`,
    hint: last?.hint ?? 'It is being restored; check the network on both sides.',
  });
}

export function listenFailed(address: string, cause: unknown): LiteDeskError {
  const code = (cause as NodeJS.ErrnoException).code ?? '';
  return new LiteDeskError(
    {
      code: 'TUNNEL_LISTEN_FAILED',
      stage: 'session',
      message: `Nothing can listen on ${address} here (${code}).`,
      hint:
        code === 'EADDRINUSE'
          ? 'Another program uses this port; choose another, or 0 for any.'
          : code === 'EACCES'
            ? 'Ports below 1024 need more rights; choose a higher one.'
            : 'The address must be one of this computer.',
    },
    { cause },
  );
}

export function stockPeerLimits(what: string): LiteDeskError {
  return new LiteDeskError({
    code: 'TUNNEL_NEEDS_LITEDESK',
    stage: 'session',
    message: `${what} needs LiteDesk on the other computer, too.`,
    hint: 'With other programs of this family TCP ports can be forwarded, and nothing else.',
  });
}

export function loginUnanswered(): LiteDeskError {
  return new LiteDeskError({
    code: 'LOGIN_TIMEOUT',
    stage: 'login',
    message: 'Nobody accepted the connection at the other computer.',
    hint: 'Give the password with --password, or have somebody there click Accept.',
  });
}

export function tunnelExists(id: string): LiteDeskError {
  return new LiteDeskError({
    code: 'TUNNEL_EXISTS',
    stage: 'usage',
    message: `There is a tunnel "${id}" already.`,
    hint: 'Change that one, or choose another name.',
  });
}

export function tooManyTunnels(limit: number): LiteDeskError {
  return new LiteDeskError({
    code: 'TUNNEL_TOO_MANY',
    stage: 'usage',
    message: `There are ${limit} tunnels already.`,
    hint: 'Remove some; one proxy often does the work of many forwards.',
  });
}
