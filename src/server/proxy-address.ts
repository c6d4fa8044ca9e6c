/** The client's address behind a reverse proxy (rendezvous §1.2). */
import type { IncomingHttpHeaders } from 'node:http';
import { BlockList, isIP, isIPv4 } from 'node:net';
import { type HostPort, normalizeHost } from '../core/wire/index.ts';

/**
 * Proxies are on this host or in this network. The open server believes everybody, so that anybody can appear under any
 * address; from here on only a neighbour may say who is behind it.
 */
const NEAR = new BlockList();
for (const [network, bits] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
] as const)
  NEAR.addSubnet(network, bits, 'ipv4');
for (const [network, bits] of [
  ['::1', 128],
  ['fc00::', 7],
  ['fe80::', 10],
] as const)
  NEAR.addSubnet(network, bits, 'ipv6');

/** The address to use for a WebSocket client: what a near proxy says (then with port 0), else that of its socket. */
export function clientAddress(socket: HostPort, headers: IncomingHttpHeaders): HostPort {
  if (!NEAR.check(socket.host, isIPv4(socket.host) ? 'ipv4' : 'ipv6')) return socket;
  const told = bareIp(headers['x-real-ip']) ?? bareIp(headers['x-forwarded-for']);
  return told === null ? socket : { host: told, port: 0 };
}

/** The last address of a list: the nearest proxy wrote it, everything before it is the client's own word. */
function bareIp(header: string | string[] | undefined): string | null {
  const text = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').pop()?.trim() ?? '';
  return isIP(text) !== 0 ? normalizeHost(text) : null;
}
