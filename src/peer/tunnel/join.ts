import type { Socket } from 'node:net';
import type { MuxStream, StreamResetError } from '../../core/mux/index.ts';
import { join as joinDuplex } from '../../net/join.ts';
import { StreamDuplex } from '../../net/stream-duplex.ts';

/** Joins a socket and a stream (net/join.ts). `done` is called when both are over. */
export function join(socket: Socket, stream: MuxStream, done?: (error: StreamResetError | null) => void): StreamDuplex {
  const duplex = new StreamDuplex(stream);
  joinDuplex(socket, duplex, { done });
  return duplex;
}
