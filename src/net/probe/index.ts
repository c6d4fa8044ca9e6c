export { openTcpProbe, openWsProbe, type ProbeChannel, type ProbeOptions, relayUuid } from './channel.ts';
export { type Datagram, UdpProbe } from './udp-probe.ts';
