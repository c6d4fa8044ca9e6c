import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import type { TcpKind } from './wire.ts';

/** netinet/in.h, netinet/tcp.h */
const IPPROTO_TCP = 6;
const TCP_CONGESTION = 13;

/** Sets the congestion control of a socket (needs root): Node has no door to it, and a namespace may not set its default. */
export function setTcpKind(socket: Socket, kind: TcpKind): void {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const setsockopt = koffi
    .load('libc.so.6')
    .func('int setsockopt(int fd, int level, int name, void *value, int length)');
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  const name = Buffer.from(kind);
  if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, name.length) !== 0)
    throw new Error(`this kernel has no TCP congestion control ${kind}`);
}
