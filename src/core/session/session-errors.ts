import type { ErrorData } from '../errors.ts';
import { LOGIN } from './login-strings.ts';

/** Texts after which a controller does not try again by itself, as substrings in lower case (session §9.3). */
const NO_RETRY = [
  'offline',
  'not exist',
  'handshake',
  'failed',
  'resolve',
  'mismatch',
  'manually',
  'restricted',
  'incoming only',
  'not allowed',
];

/** True when a connection that closed with this text may be tried again without asking (session §9.3). */
export function mayRetry(reason: string): boolean {
  const lower = reason.toLowerCase();
  return !NO_RETRY.some((word) => lower.includes(word));
}

/** What a final login error means for the person at the controller. */
export function loginError(text: string): ErrorData {
  const make = (code: string, message: string, hint: string): ErrorData => ({
    code,
    stage: 'login',
    message,
    hint,
  });
  switch (text) {
    case LOGIN.offline:
      return make(
        'LOGIN_OFFLINE',
        'The computer that answered does not have this ID.',
        'Check the ID on the other computer and connect again.',
      );
    case LOGIN.addressBlocked:
    case LOGIN.idBlocked:
      return make(
        'LOGIN_BLOCKED',
        `The other computer refuses connections from here: ${text}.`,
        'Ask its owner to allow this computer.',
      );
    case LOGIN.waitMinute:
      return make(
        'LOGIN_TOO_MANY_ATTEMPTS',
        `Too many wrong passwords: ${text}.`,
        'Wait one minute, then enter the password shown on the other computer.',
      );
    case LOGIN.tooManyAttempts:
      return make(
        'LOGIN_TOO_MANY_ATTEMPTS',
        `Too many wrong passwords: ${text}.`,
        'Ask at the other computer for access, or have LiteDesk restarted there.',
      );
    case LOGIN.notAllowed:
      return make(
        'LOGIN_NOT_ALLOWED',
        'The other computer does not allow this connection.',
        'Ask its owner to change its settings.',
      );
    case LOGIN.noFileTransfer:
    case LOGIN.noCamera:
    case LOGIN.noTerminal:
    case LOGIN.noTunnel:
      return make(
        'LOGIN_KIND_REFUSED',
        `The other computer does not offer this kind of session: ${text}.`,
        'Use the remote desktop, or allow this kind of session on the other computer.',
      );
    case LOGIN.windowNotOpen:
      return make('LOGIN_REFUSED', text, 'Open the remote desktop window on the other computer.');
    default:
      break;
  }
  if (text.startsWith(LOGIN.tooManyAttempts))
    return make('LOGIN_TOO_MANY_ATTEMPTS', text, 'Ask at the other computer for access.');
  if (text.startsWith('Failed to access remote'))
    return make(
      'TUNNEL_TARGET_UNREACHABLE',
      text,
      'Start the service on the other side and check host and port.',
    );
  if (text === LOGIN.waylandLogin || text.includes('x11 expected'))
    return make(
      'LOGIN_REFUSED',
      `The other computer cannot show its screen: ${text}`,
      'Log in there with an X11 session.',
    );
  return make(
    'LOGIN_REFUSED',
    `The other computer refused the login: ${text}`,
    'Follow what the message says, then connect again.',
  );
}

export const sessionErrors = {
  wrongPassword: (): ErrorData => ({
    code: 'LOGIN_WRONG_PASSWORD',
    stage: 'login',
    message: 'The password is wrong.',
    hint: 'Enter the password that is shown on the other computer now.',
  }),
  hostUnproven: (): ErrorData => ({
    code: 'LOGIN_HOST_UNPROVEN',
    stage: 'login',
    message: 'The computer that answered accepted the password without knowing it.',
    hint: 'Connect again; if it happens again, another computer is in the place of the one that you want.',
  }),
  passwordRequired: (): ErrorData => ({
    code: 'LOGIN_PASSWORD_REQUIRED',
    stage: 'login',
    message: 'The other computer asks for a password.',
    hint: 'Enter its password, or wait until somebody there accepts.',
  }),
  waitAccept: (): ErrorData => ({
    code: 'LOGIN_WAIT_ACCEPT',
    stage: 'login',
    message: 'The other computer does not take passwords.',
    hint: 'Wait until somebody accepts the connection there.',
  }),
  twoFactor: (): ErrorData => ({
    code: 'LOGIN_2FA_REQUIRED',
    stage: 'login',
    message: 'The other computer asks for a two-factor code.',
    hint: 'Enter the six digits of the authenticator app.',
  }),
  timeout: (): ErrorData => ({
    code: 'SESSION_TIMEOUT',
    stage: 'session',
    message: 'Nothing came from the other computer for too long.',
    hint: 'Check the network on both sides; LiteDesk connects again by itself.',
  }),
  loginTimeout: (): ErrorData => ({
    code: 'LOGIN_TIMEOUT',
    stage: 'login',
    message: 'The other computer did not begin the session in time.',
    hint: 'Check that remote access is running there, then connect again.',
  }),
  reset: (cause: string): ErrorData => ({
    code: 'SESSION_RESET',
    stage: 'session',
    message: `The connection was lost: ${cause.replace(/\.$/, '')}.`,
    hint: 'Check the network on both sides; LiteDesk connects again by itself.',
  }),
  closedByPeer: (reason: string): ErrorData => ({
    code: 'SESSION_CLOSED_BY_PEER',
    stage: 'session',
    message: reason
      ? `The other computer ended the session: ${reason}.`
      : 'The other computer ended the session.',
    hint: 'Connect again if you still need the session.',
  }),
  closed: (): ErrorData => ({
    code: 'SESSION_CLOSED',
    stage: 'session',
    message: 'The session is closed.',
    hint: 'Connect again.',
  }),
  noStreams: (): ErrorData => ({
    code: 'STREAMS_NOT_OFFERED',
    stage: 'login',
    message: 'The other computer does not take virtual streams.',
    hint: 'It may run another program than LiteDesk, or an older version; forwarding TCP ports works with those too.',
  }),
  stalled: (): ErrorData => ({
    code: 'SESSION_WRITE_STALLED',
    stage: 'session',
    message: 'The other computer stopped reading.',
    hint: 'Check the network on both sides, then connect again.',
  }),
  loginIdle: (): ErrorData => ({
    code: 'LOGIN_IDLE',
    stage: 'login',
    message: 'Nobody logged in within ten minutes.',
    hint: 'Connect again and enter the password.',
  }),
  protocol: (what: string): ErrorData => ({
    code: 'SESSION_PROTOCOL',
    stage: 'session',
    message: `The other end broke the protocol: ${what}.`,
    hint: 'Update both sides; report the message if it stays.',
  }),
};
