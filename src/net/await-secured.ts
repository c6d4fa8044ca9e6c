import { systemClock } from '../core/clock.ts';
import { LiteDeskError } from '../core/errors.ts';
import { abortError } from './errors.ts';
import { handshakeErrors } from './handshake-errors.ts';
import type { NetLink } from './net-link.ts';
import type { SecureCommonOptions } from './secure-options.ts';
import type { SecuredLink } from './secured-link.ts';

/** How long either side waits for the other's part of the key exchange (rendezvous §11.2, §11.3). */
export const HANDSHAKE_TIMEOUT_MS = 18_000;

/** Takes one frame of the key exchange; null: there is more to come. What it throws ends the link. */
export type HandshakeStep = (payload: Uint8Array) => SecuredLink | null;

/**
 * Gives frames to `take` until it has a secured link, each in the turn in which it came, so that the answer changes the link
 * before another frame. When it fails the link is destroyed.
 */
export async function awaitSecured(
  link: NetLink,
  options: SecureCommonOptions,
  take: HandshakeStep,
): Promise<SecuredLink> {
  const { timeoutMs = HANDSHAKE_TIMEOUT_MS, signal, clock = systemClock } = options;
  throwIfAborted(link, signal);
  return await new Promise<SecuredLink>((resolve, reject) => {
    let done = false;
    const settle = (): boolean => {
      if (done) return false;
      done = true;
      cancelTimer();
      signal?.removeEventListener('abort', onAbort);
      return true;
    };
    const fail = (error: LiteDeskError): void => {
      if (!settle()) return;
      link.destroy(error);
      reject(error);
    };
    const onAbort = (): void => fail(abortError(signal as AbortSignal, 'handshake'));
    const cancelTimer = clock.setTimer(timeoutMs, () => fail(handshakeErrors.timeout(timeoutMs)));
    signal?.addEventListener('abort', onAbort, { once: true });
    link.setHandlers({
      onFrame: (payload) => {
        if (done) return;
        let secured: SecuredLink | null;
        try {
          secured = take(payload);
        } catch (error) {
          fail(error instanceof LiteDeskError ? error : handshakeErrors.malformed(error));
          return;
        }
        if (!secured) return;
        settle();
        resolve(secured);
      },
      onClose: (close) => fail(handshakeErrors.peerClosed(close.error)),
    });
  });
}

/** An abort that came before anything was sent. */
export function throwIfAborted(link: NetLink, signal: AbortSignal | undefined): void {
  if (!signal?.aborted) return;
  const error = abortError(signal, 'handshake');
  link.destroy(error);
  throw error;
}
