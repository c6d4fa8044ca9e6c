import { timingSafeEqual, createHash } from 'node:crypto';
import type { ErrorData } from '../../../core/errors.ts';
import { type MuxStream, StreamResetError, type StreamTarget } from '../../../core/mux/index.ts';
import type { OpenStream } from '../forward.ts';
import type { Connections } from '../connections.ts';
import { stockPeerLimits } from '../errors.ts';

/** What the parts of a proxy share. */
export interface ProxyContext {
  readonly open: OpenStream;
  readonly connections: Connections;
  readonly auth: ProxyAuth | null;
  readonly onFailure: (error: ErrorData) => void;
}

export interface ProxyAuth {
  readonly user: string;
  readonly password: string;
}

/** Compares in a time that tells nothing. */
export function authorised(auth: ProxyAuth | null, user: string, password: string): boolean {
  if (!auth) return true;
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const rightUser = timingSafeEqual(digest(auth.user), digest(user));
  const rightPassword = timingSafeEqual(digest(auth.password), digest(password));
  return rightUser && rightPassword;
}

/**
 * A stream whose target has been reached: a proxy tells its client only then that it is connected. Throws StreamResetError,
 * LiteDeskError, or the reason of `signal`.
 */
export async function openReached(open: OpenStream, target: StreamTarget, signal: AbortSignal): Promise<MuxStream> {
  const stream = await open(target, signal);
  if (!stream) throw stockPeerLimits('A proxy');
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      stream.reset('cancelled');
      reject(signal.reason as Error);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (done: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      done();
    };
    stream.setHandlers({
      onOpened: () => settle(resolve),
      onClose: (error) => settle(() => reject(error ?? new StreamResetError('cancelled', '', 'remote'))),
    });
    if (signal.aborted) onAbort();
  });
  return stream;
}
