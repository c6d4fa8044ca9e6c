import type { FrameDecoder } from '../core/wire/index.ts';
import type { EndEvents } from './relay-end.ts';

/** Hands over the messages that `chunk` completes. False: they are no frames, or one is too large; the end is to be cut. */
export function handOver(chunk: Uint8Array, decoder: FrameDecoder, events: EndEvents | undefined): boolean {
  try {
    for (const payload of decoder.push(chunk)) {
      // Heartbeats of the framing are not forwarded across (rendezvous §7.4), but show that somebody is there.
      if (payload.length > 0) events?.onData(payload);
      else events?.onSign();
    }
    return true;
  } catch {
    return false;
  }
}
