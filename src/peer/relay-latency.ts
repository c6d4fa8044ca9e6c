/**
 * How far the server's relays are from here. The server names them with the NAT test; what was measured goes into the next
 * PunchHoleRequest, so that a relay which is near is chosen, should it come to that.
 */
import { dialTcp, isPrivateHost, parseHostPort, resolveHost } from '../net/index.ts';
import { DEFAULT_RELAY_PORT } from './server-address.ts';

export interface MeasuredRelay {
  readonly address: string;
  readonly ms: number;
}

/** Relays that are measured; a server with more names some. */
const MAX_RELAYS = 8;
/** ms after which one is too far to be of use. */
const TIMEOUT_MS = 2_000;

/**
 * Dials each once. Relays that do not answer are left out; never rejects. A server outside must not learn what answers in
 * our own network: private addresses are measured only for a server (`serverHost`, resolved) that has one too.
 */
export async function measureRelays(
  addresses: readonly string[],
  serverHost: string,
  signal: AbortSignal,
): Promise<MeasuredRelay[]> {
  const measured = await Promise.all(
    addresses.slice(0, MAX_RELAYS).map(async (address): Promise<MeasuredRelay | null> => {
      try {
        const { host: name, port } = parseHostPort(address, DEFAULT_RELAY_PORT);
        const [host] = await resolveHost(name, { signal, timeoutMs: TIMEOUT_MS });
        if (host === undefined || (isPrivateHost(host) && !isPrivateHost(serverHost))) return null;
        const startedAt = performance.now();
        const socket = await dialTcp({ host, port, timeoutMs: TIMEOUT_MS, signal });
        socket.destroy();
        return { address, ms: Math.max(1, Math.round(performance.now() - startedAt)) };
      } catch {
        return null;
      }
    }),
  );
  return measured.filter((relay) => relay !== null);
}
