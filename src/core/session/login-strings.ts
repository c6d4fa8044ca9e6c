/** The exact texts of the login (session §2.6, §2.7); peers compare them byte for byte. */
export const LOGIN = {
  emptyPassword: 'Empty Password',
  wrongPassword: 'Wrong Password',
  twoFactorRequired: '2FA Required',
  twoFactorWrong: 'Wrong 2FA Code',
  noPasswordAccess: 'No Password Access',
  waylandLogin: 'Wayland login screen is not supported',
  offline: 'Offline',
  notAllowed: 'Connection not allowed',
  addressBlocked: 'Your ip is blocked by the peer',
  idBlocked: 'Your ID is blocked by the peer',
  windowNotOpen: 'The main window is not open',
  privacyMode: 'Someone turns on privacy mode, exit',
  noFileTransfer: 'No permission of file transfer',
  noCamera: 'No permission of viewing camera',
  noTerminal: 'No permission of terminal',
  noTunnel: 'No permission of IP tunneling',
  waitMinute: 'Please try 1 minute later',
  tooManyAttempts: 'Too many wrong attempts',
} as const;

/** Texts of close_reason (session §9.3). */
export const CLOSE = {
  manually: 'Closed manually by the peer',
  inactivity: 'Connection failed due to inactivity',
  notAllowed: 'Connection not allowed',
} as const;

/** Says which address of a tunnel could not be reached (session §7). */
export function tunnelFailed(target: string): string {
  return `Failed to access remote ${target}. Please make sure it is reachable/open.`;
}
