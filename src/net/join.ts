import type { Socket } from 'node:net';
import type { Duplex, Transform } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { release } from '../core/memory.ts';
import { StreamResetError } from '../core/mux/index.ts';
import { systemCode } from './errors.ts';
import { watchHalfOpen } from './half-open.ts';
import { StreamDuplex } from './stream-duplex.ts';

export interface JoinOptions {
  /** Both are over, with the reason when they did not end in order. */
  readonly done?: ((error: StreamResetError | null) => void) | undefined;
  /** Made for each direction, and put into it. */
  readonly through?: (() => Transform) | undefined;
}

/**
 * Joins a socket and a stream both ways, each direction ending on its own. A reset of either is a reset of the other, so that
 * nobody takes a broken transfer for a complete one. Not a pipeline: it destroys what it takes for left over when the last
 * byte was handed on, and with it what is still on its way out.
 */
export function join(socket: Socket, duplex: StreamDuplex, { done, through }: JoinOptions = {}): void {
  socket.allowHalfOpen = true;
  watchHalfOpen(socket);
  // What a socket has read has memory of its own, and so has what a stream gives to its reader.
  duplex.ownsWritten = !through;
  const between = [pour(socket, duplex, through), pour(duplex, socket, through)];
  let failure: StreamResetError | null = null;
  let open = 2;
  const closed = (ended: boolean, reason: () => StreamResetError): void => {
    if (!ended && !failure) {
      failure = reason();
      for (const transform of between) transform?.destroy();
      breakSocket(socket);
      duplex.destroy(failure);
    }
    if (--open === 0) done?.(failure);
  };
  const socketClosed = (): void =>
    closed(socket.readableEnded && socket.writableFinished, () =>
      socket.errored
        ? new StreamResetError('target-reset', systemCode(socket.errored), 'local')
        : new StreamResetError('cancelled', 'the connection was closed', 'local'),
    );
  const duplexClosed = (): void =>
    closed(duplex.readableEnded && duplex.writableFinished, () =>
      duplex.errored instanceof StreamResetError ? duplex.errored : new StreamResetError('cancelled', duplex.errored?.message ?? '', 'local'),
    );
  for (const [stream, onClose] of [[socket, socketClosed], [duplex, duplexClosed]] as const) {
    stream.on('error', () => {});
    if (stream.closed) queueMicrotask(onClose);
    else stream.once('close', onClose);
  }
}

/** Ends a socket so that the other side knows that something is missing. */
export function breakSocket(socket: Socket): void {
  if (socket.destroyed) return;
  // Inside TLS there is no reset, but no close_notify either.
  if (socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}

function pour(from: Duplex, to: Duplex, through: (() => Transform) | undefined): Transform | null {
  const transform = through?.() ?? null;
  if (transform) from.pipe(transform).on('error', () => {}).pipe(to);
  else if (from instanceof StreamDuplex) pourAndRelease(from, to);
  else from.pipe(to);
  return transform;
}

/** As `pipe`, and each chunk's memory is released once it has left. */
function pourAndRelease(from: StreamDuplex, to: Duplex): void {
  const pass = (chunk: Buffer): void => {
    const room = to.write(chunk, (error) => {
      if (!error) release(chunk);
    });
    if (!room) from.pause();
  };
  // What waits already, such as a request that came while the target was dialled, does not wait for the next turn.
  const first = from.read() as Buffer | null;
  if (first) pass(first);
  from.on('data', pass);
  to.on('drain', () => from.resume());
  from.once('end', () => to.end());
}
