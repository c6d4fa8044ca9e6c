/** Reads the beginning of a stream without taking it: what was read goes back before somebody else gets the socket. */
import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';

export interface PeekOptions<T> {
  readonly clock: Clock;
  /** ms from now until the decision must have been made. */
  readonly timeoutMs: number;
  /** Bytes after which it must have been made. */
  readonly maxBytes: number;
  /** The decision that these first bytes allow; null: not yet. `take` of them are not given back. Throwing ends it. */
  readonly decide: (bytes: Buffer) => { readonly value: T; readonly take?: number } | null;
  /** ms without any byte after which `onSilence` gets the socket. */
  readonly silenceMs?: number;
  readonly onSilence?: () => void;
  /** The socket is paused here, with every byte that was not taken in front; whoever takes it calls resume(). */
  readonly onDecided: (value: T) => void;
  /** Too slow, too long, ended before, or `decide` threw. The socket is destroyed already. */
  readonly onFailed?: (why: 'timeout' | 'too-long' | 'ended' | 'broken') => void;
}

/** Starts to read; exactly one of the callbacks is called, or none when the socket closes. */
export function peek<T>(socket: Socket, options: PeekOptions<T>): void {
  const { clock } = options;
  let bytes: Buffer = Buffer.alloc(0);
  let cancelSilence: (() => void) | undefined;
  const stop = (): void => {
    cancelTimer();
    cancelSilence?.();
    socket.off('data', onData).off('end', onEnd).off('close', stop);
    // Not flowing while it has no reader: what comes in the meantime stays in the stream.
    socket.pause();
  };
  const fail = (why: 'timeout' | 'too-long' | 'ended' | 'broken'): void => {
    stop();
    socket.destroy();
    options.onFailed?.(why);
  };
  const onEnd = (): void => fail('ended');
  const onData = (chunk: Buffer): void => {
    cancelSilence?.();
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
    let decision: ReturnType<typeof options.decide>;
    try {
      decision = options.decide(bytes);
    } catch {
      return fail('broken');
    }
    if (decision === null) {
      if (bytes.length >= options.maxBytes) fail('too-long');
      return;
    }
    stop();
    const rest = bytes.subarray(decision.take ?? 0);
    if (rest.length > 0) socket.unshift(rest);
    options.onDecided(decision.value);
  };
  const cancelTimer = clock.setTimer(options.timeoutMs, () => fail('timeout'));
  if (options.silenceMs !== undefined)
    cancelSilence = clock.setTimer(options.silenceMs, () => {
      stop();
      options.onSilence?.();
    });
  socket.on('data', onData).on('end', onEnd).on('close', stop);
  socket.resume();
}
