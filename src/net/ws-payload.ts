/** The bound on one WebSocket message, changed after it is known what the connection is for. */
import type { WebSocket } from 'ws';

/**
 * The library takes the bound at construction only, for all connections of a server at once. A relay's messages are a hundred
 * times larger than any other, and nobody should be able to make us hold that much before he has named a session. It looks at the
 * bound when a message's header is there, before it buffers anything; a test of ours notices if an update ever moves it.
 * @returns false when this version of the library keeps it elsewhere; the bound then stays as it was.
 */
export function setMaxPayload(ws: WebSocket, bytes: number): boolean {
  const receiver: unknown = Reflect.get(ws, '_receiver');
  if (typeof receiver !== 'object' || receiver === null || typeof Reflect.get(receiver, '_maxPayload') !== 'number') return false;
  return Reflect.set(receiver, '_maxPayload', bytes);
}
