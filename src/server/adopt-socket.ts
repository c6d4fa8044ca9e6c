/**
 * A TCP connection read into a buffer of ours (`onread`), which Node offers for connections that one dials but not for
 * those that one accepts. Reading into fresh memory for every chunk, as Node does otherwise, halves what a relay can
 * forward: each chunk comes with pages that the system has to clear first, and falls out of the processor's cache.
 */
import { Socket } from 'node:net';

export interface ReadInto {
  /** Where the next bytes go; asked for before the first read and after each. */
  buffer(): Buffer;
  /** A part of what `buffer` gave, and valid until it gives the same memory again. */
  onBytes(bytes: Buffer): void;
}

/** What lies below a socket; not documented, but since Node 12 in every version what it takes to hand one over. */
interface Handle {
  useUserBuffer?: (buffer: Buffer) => void;
}

/**
 * Moves an accepted connection to a new socket which reads as `into` says and starts paused. The old one closes with the
 * new one, so that whoever counts connections by it goes on counting right.
 * @returns null when it cannot be moved: it is encrypted, it has unsent bytes or an end already, or this runtime is
 *   different. It then is as it was.
 */
export function adoptSocket(old: Socket, into: ReadInto): { socket: Socket; early: Buffer[] } | null {
  const holder = old as unknown as { _handle: Handle | null; _readableState?: { ended?: boolean } };
  const handle = holder._handle;
  // A subclass keeps state of its own beside the handle, as TLS does.
  if (Object.getPrototypeOf(old) !== Socket.prototype || typeof handle?.useUserBuffer !== 'function') return null;
  if (old.destroyed || old.writableLength > 0 || old.writableEnded || holder._readableState?.ended !== false) return null;
  old.pause();
  // read() also emits what it returns.
  old.removeAllListeners('data');
  const early: Buffer[] = [];
  for (let chunk = old.read() as Buffer | null; chunk !== null; chunk = old.read() as Buffer | null) early.push(chunk);
  old.setTimeout(0);
  holder._handle = null;
  const options = {
    handle,
    allowHalfOpen: true,
    pauseOnCreate: true,
    onread: {
      buffer: () => into.buffer(),
      callback: (count: number, buffer: Uint8Array) => {
        into.onBytes((buffer as Buffer).subarray(0, count));
        return true;
      },
    },
  };
  const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  socket.once('close', () => old.destroy());
  old.once('close', () => socket.destroy());
  return { socket, early };
}
