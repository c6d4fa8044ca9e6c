/** What a KCP connection needs of its UDP socket: one of its own, or its share of one that serves many. */
import type { Socket } from 'node:dgram';

export type DatagramSocket = Pick<
  Socket,
  'address' | 'remoteAddress' | 'getSendQueueSize' | 'setRecvBufferSize' | 'setSendBufferSize'
> & {
  on(event: 'message', listener: (datagram: Buffer) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'close', listener: () => void): unknown;
  off(event: 'message', listener: (datagram: Buffer) => void): unknown;
  off(event: 'close', listener: () => void): unknown;
  close(): unknown;
  /** To the other end; the bytes must stay as they are while `getSendQueueSize` is above 0. */
  send(bytes: Uint8Array, offset: number, length: number): void;
};
