import { aborted } from './errors.ts';
import type { Mediator } from './mediator.ts';

/** Waits until the server has taken the registration. Throws what keeps it from that, ABORTED. */
export function registered(mediator: Mediator, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (done: () => void): void => {
      off();
      signal.removeEventListener('abort', onAbort);
      done();
    };
    const look = (state: Mediator['state']): void => {
      if (state.state === 'ready') settle(resolve);
      else if (state.state === 'offline') settle(() => reject(state.error));
    };
    const onAbort = (): void => settle(() => reject(aborted()));
    const off = mediator.on('state', look);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else look(mediator.state);
  });
}
