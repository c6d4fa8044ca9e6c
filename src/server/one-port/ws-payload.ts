/** The bound on one WebSocket message, changed after it is known what the connection is for. */
import type { WebSocket } from 'ws';

/**
 * The library takes the bound for all connections of a server, before anything was said. A relay's messages are a hundred
 * times larger than any other, and nobody should be able to make us hold that much before he has named a session.
 * @returns false when this version of the library keeps it elsewhere; the bound then stays as it was.
 */
export function setMaxPayload(ws: WebSocket, bytes: number): boolean {
  const receiver: unknown = Reflect.get(ws, '_receiver');
  if (typeof receiver !== 'object' || receiver === null || typeof Reflect.get(receiver, '_maxPayload') !== 'number') return false;
  return Reflect.set(receiver, '_maxPayload', bytes);
}
