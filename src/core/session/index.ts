export {
  type ApproveMode,
  HostAuthenticator,
  type HostAuthenticatorEvents,
  type HostAuthenticatorOptions,
} from './authenticator.ts';
export type { Decoding } from './codecs.ts';
export type * from './contract.ts';
export { ControllerSession } from './controller-session.ts';
export type * from './controller-types.ts';
export { HostSession } from './host-session.ts';
export type * from './host-types.ts';
export { PortForwardRefused } from './host-types.ts';
export { WATCHED_BY_LINK } from './limits.ts';
export { CLOSE, LOGIN } from './login-strings.ts';
export { mayRetry } from './session-errors.ts';
export { streamsLink } from './streams-link.ts';
export { PROTOCOL_VERSION, versionAtLeast, versionNumber } from './version.ts';
