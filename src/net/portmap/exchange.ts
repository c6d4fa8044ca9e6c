/** One question to a gateway over UDP, repeated until it is answered. */
import type { Clock } from '../../core/clock.ts';
import type { HostPort } from '../../core/wire/address.ts';
import { abortError } from '../errors.ts';
import { noAnswer } from './errors.ts';
import type { MapperNetwork } from './types.ts';

export interface Exchange<T> {
  readonly network: MapperNetwork;
  readonly localAddress: string;
  /** The only place from which an answer counts. */
  readonly to: HostPort;
  readonly request: Uint8Array;
  /** How long to wait after each sending, in ms; after the last one it is given up. */
  readonly waitsMs: readonly number[];
  /** The answer in these bytes, null: not ours. What it throws counts as garbage. */
  readonly read: (bytes: Uint8Array) => T | null;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Throws PortMapError `no-answer`, or LiteDeskError ABORTED. */
export async function exchange<T>(options: Exchange<T>): Promise<T> {
  const { network, to, request, waitsMs, read, clock, signal } = options;
  if (signal.aborted) throw abortError(signal, 'punch');
  const door = await network.openUdp(options.localAddress).catch((error: Error) => {
    throw noAnswer(`no socket could be opened for it (${error.message})`);
  });
  let cancelTimer = (): void => {};
  let onAbort = (): void => {};
  try {
    return await new Promise<T>((resolve, reject) => {
      let garbage = 0;
      onAbort = () => reject(abortError(signal, 'punch'));
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      door.onDatagram((bytes, from) => {
        if (from.host !== to.host || from.port !== to.port) return;
        try {
          const answer = read(bytes);
          if (answer !== null) resolve(answer);
        } catch {
          // Whoever forges datagrams must not be able to end this; the real answer may follow.
          garbage += 1;
        }
      });
      const send = (at: number): void => {
        const waitMs = waitsMs[at];
        if (waitMs === undefined) {
          reject(noAnswer(garbage > 0 ? 'what it answered is not part of the protocol' : ''));
          return;
        }
        door.send(request, to);
        cancelTimer = clock.setTimer(waitMs, () => send(at + 1));
      };
      send(0);
    });
  } finally {
    cancelTimer();
    signal.removeEventListener('abort', onAbort);
    door.close();
  }
}

/** Waits that double, `count` of them, the first `firstMs` long; each by up to `spread` shorter or longer. */
export function doublingWaits(firstMs: number, count: number, spread = 0, random: () => number = () => 0.5): number[] {
  return Array.from({ length: count }, (_, i) => Math.round(firstMs * 2 ** i * (1 + spread * (2 * random() - 1))));
}
