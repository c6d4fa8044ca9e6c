export * from './endpoint.ts';
export { abortError, dialError, systemCode } from './errors.ts';
export * from './lan-discovery.ts';
export * from './net-link.ts';
export { HostKeyChangedError } from './handshake-errors.ts';
export * from './secure.ts';
export * from './server-route.ts';
export * from './tcp.ts';
export * from './ws.ts';
