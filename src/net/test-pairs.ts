/** Connected pairs for tests and benchmarks, on the loopback. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { LinkPair } from './link-compliance.ts';
import { TcpLink, type TcpLinkOptions } from './tcp-link.ts';

/** The dialling end, the accepted end and the listener, which the caller closes. */
export async function socketPair(): Promise<[Socket, Socket, Server]> {
  const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || !address) throw new Error('no port');
  const accepted = once(server, 'connection');
  const client = connect(address.port, '127.0.0.1');
  await once(client, 'connect');
  const [peer] = (await accepted) as [Socket];
  return [client, peer, server];
}

export async function tcpPair(options?: TcpLinkOptions): Promise<LinkPair> {
  const [client, peer, server] = await socketPair();
  return [new TcpLink(client, options), new TcpLink(peer, options), () => void server.close()];
}
