export { MAX_DATAGRAM, KCP_MTU, KCP_MSS, KCP_WINDOW } from './constants.ts';
export { Kcp } from './kcp.ts';
export type { KcpOptions } from './kcp.ts';
export { KcpEndpoint } from './endpoint.ts';
export type { KcpCloseReason, KcpEndpointOptions, KcpState } from './endpoint.ts';
export { PUNCH_TIMEOUT_MS, Punch } from './punch.ts';
export type { PunchState } from './punch.ts';
export { isReset, resetPacket } from './packet.ts';
