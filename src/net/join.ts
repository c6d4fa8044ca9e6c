import type { Socket } from 'node:net';
import { pipeline, type Transform } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { StreamResetError } from '../core/mux/index.ts';
import { systemCode } from './errors.ts';
import type { StreamDuplex } from './stream-duplex.ts';

/** A pipeline that has a socket at both of its ends listens more than ten times. */
export const PIPELINE_LISTENERS = 32;

export interface JoinOptions {
  /** Both are over, with the reason when they did not end in order. */
  readonly done?: ((error: StreamResetError | null) => void) | undefined;
  /** Made for each direction, and put into it. */
  readonly through?: (() => Transform) | undefined;
}

/**
 * Joins a socket and a stream both ways, each direction ending on its own. A reset of either is a reset of the other, so that
 * nobody takes a broken transfer for a complete one.
 */
export function join(socket: Socket, duplex: StreamDuplex, { done, through }: JoinOptions = {}): void {
  socket.allowHalfOpen = true;
  socket.setMaxListeners(PIPELINE_LISTENERS);
  // Before the pipeline destroys them: destroying a socket alone would end it as if all was well.
  socket.once('error', (error) => duplex.destroy(new StreamResetError('target-reset', systemCode(error), 'local')));
  duplex.once('error', () => breakSocket(socket));
  const over = (error: Error | null | undefined): void => {
    const reason = duplex.stream.closed?.error ?? (error instanceof StreamResetError ? error : null);
    if (error && !socket.destroyed) breakSocket(socket);
    done?.(reason ?? (error ? new StreamResetError('target-reset', systemCode(error), 'local') : null));
  };
  if (through) pipeline(socket, through(), duplex, through(), socket, over);
  else pipeline(socket, duplex, socket, over);
}

/** Ends a socket so that the other side knows that something is missing. */
export function breakSocket(socket: Socket): void {
  // Inside TLS there is no reset, but no close_notify either.
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
