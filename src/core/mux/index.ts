export * from './codes.ts';
export * from './contract.ts';
export { DatagramReader, encodeDatagram, MAX_DATAGRAM_BYTES } from './datagram.ts';
export { DEFAULT_LIMITS, LINK_CREDIT, type MuxLimits } from './limits.ts';
export { Mux, type MuxOptions } from './mux.ts';
export { formatTarget, type StreamTarget } from './target.ts';
