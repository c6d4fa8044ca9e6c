import type { Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { type MuxStream, StreamResetError } from '../../core/mux/index.ts';
import { systemCode } from '../../net/errors.ts';
import { StreamDuplex } from '../../net/stream-duplex.ts';

const MAX_LISTENERS = 32;

/**
 * Joins a socket and a stream both ways, each direction ending on its own. A reset of either is a reset of the other, so that
 * nobody takes a broken transfer for a complete one. `done` is called when both are over.
 */
export function join(socket: Socket, stream: MuxStream, done?: (error: StreamResetError | null) => void): StreamDuplex {
  const duplex = new StreamDuplex(stream);
  socket.allowHalfOpen = true;
  // The pipeline has the socket at both of its ends, and listens more than ten times.
  socket.setMaxListeners(MAX_LISTENERS);
  // Before the pipeline destroys them: destroying a socket alone would end it as if all was well.
  socket.once('error', (error) => duplex.destroy(new StreamResetError('target-reset', systemCode(error), 'local')));
  duplex.once('error', () => socket.resetAndDestroy());
  pipeline(socket, duplex, socket, (error) => {
    const reason = stream.closed?.error ?? (error instanceof StreamResetError ? error : null);
    if (error && !socket.destroyed) socket.resetAndDestroy();
    done?.(reason ?? (error ? new StreamResetError('target-reset', systemCode(error), 'local') : null));
  });
  return duplex;
}
