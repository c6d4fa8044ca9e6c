/** A connection on which another server tells this relay what it introduced (relay-links.ts). */
import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { decodeRendezvous, FrameDecoder, type hbb } from '../core/wire/index.ts';

/** A few introductions of some 200 bytes. */
const MAX_FRAME = 16 * 1024;
/** ms of silence; the other side says something every 20 s. */
const SILENCE_MS = 75_000;

/**
 * Takes over the socket. `hear` says whether what was said is to be believed; whoever says anything else is cut.
 * @param rest what came behind the first frame
 */
export function listenToServer(
  socket: Socket,
  rest: Uint8Array,
  clock: Clock,
  hear: (message: hbb.IRelayIntroduction) => boolean,
): void {
  const decoder = new FrameDecoder({ maxPayload: MAX_FRAME });
  let cancel = clock.setTimer(SILENCE_MS, () => socket.destroy());
  const onData = (chunk: Uint8Array): void => {
    cancel();
    cancel = clock.setTimer(SILENCE_MS, () => socket.destroy());
    try {
      for (const frame of decoder.push(chunk)) {
        const message = decodeRendezvous(frame);
        if (message.union !== 'relayIntroduction' || !hear(message.relayIntroduction ?? {})) return void socket.destroy();
      }
    } catch {
      socket.destroy();
    }
  };
  socket.on('data', onData);
  socket.on('end', () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.on('close', () => cancel());
  if (rest.length > 0) onData(rest);
}
