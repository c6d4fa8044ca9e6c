/**
 * How far the server's relays are from here. The server names them with the NAT test; what was measured goes into the next
 * PunchHoleRequest, so that a relay which is near is chosen, should it come to that.
 */
import { dialTcp, parseHostPort } from '../net/index.ts';
import { DEFAULT_RELAY_PORT } from './server-address.ts';

export interface MeasuredRelay {
  readonly address: string;
  readonly ms: number;
}

/** Relays that are measured; a server with more names some. */
const MAX_RELAYS = 8;
/** ms after which one is too far to be of use. */
const TIMEOUT_MS = 2_000;

/** Dials each once. Relays that do not answer are left out; never rejects. */
export async function measureRelays(addresses: readonly string[], signal: AbortSignal): Promise<MeasuredRelay[]> {
  const measured = await Promise.all(
    addresses.slice(0, MAX_RELAYS).map(async (address): Promise<MeasuredRelay | null> => {
      try {
        const at = parseHostPort(address, DEFAULT_RELAY_PORT);
        const startedAt = performance.now();
        const socket = await dialTcp({ ...at, timeoutMs: TIMEOUT_MS, signal });
        socket.destroy();
        return { address, ms: Math.max(1, Math.round(performance.now() - startedAt)) };
      } catch {
        return null;
      }
    }),
  );
  return measured.filter((relay) => relay !== null);
}
