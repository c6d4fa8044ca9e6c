import type { Socket } from 'node:net';
import { type Clock, systemClock } from '../core/clock.ts';

/** Between two looks at a socket whose other end has ended its direction. */
export const HALF_OPEN_PROBE_MS = 5_000;
const NOTHING = Buffer.alloc(0);

/**
 * After the end of what the other side sends, Node does not listen to a socket any more and hears of no reset until it writes; where
 * there is nothing to write it would be kept for ever. A write of no bytes sends nothing, and fails when the connection is gone.
 */
export function watchHalfOpen(socket: Socket, clock: Clock = systemClock): void {
  socket.once('end', () => {
    let cancel = (): void => {};
    const look = (): void => {
      // With both directions ended the system sees to the rest.
      if (socket.destroyed || socket.writableEnded) return;
      // What waits to be written finds out by itself.
      if (socket.writableLength === 0) socket.write(NOTHING);
      cancel = clock.setTimer(HALF_OPEN_PROBE_MS, look);
    };
    cancel = clock.setTimer(HALF_OPEN_PROBE_MS, look);
    socket.once('close', () => cancel());
  });
}
