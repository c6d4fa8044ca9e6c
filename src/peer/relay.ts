/** The relay leg of both sides (rendezvous §7, §9.2b, §9.4). */
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { encodeRendezvous } from '../core/wire/index.ts';
import type { hbb } from '../core/wire/index.ts';
import { formatHostPort, parseHostPort } from '../net/index.ts';
import type { NetLink } from '../net/index.ts';
import { aborted, relayUnreachable } from './errors.ts';
import { dialServer } from './server-link.ts';

const RELAY_CONNECT_TIMEOUT_MS = 6_000;
/** Upstream's relay port: the rendezvous port plus one. */
export const DEFAULT_RELAY_PORT = 21117;

/** `host[:port]` of the relay, with the defaults of rendezvous §9.2b and §9.3. */
export function relayAddress(named: string, serverHost: string, serverPort: number): { host: string; port: number } {
  if (named === '') return { host: serverHost, port: serverPort + 1 };
  return parseHostPort(named, DEFAULT_RELAY_PORT);
}

/** Connects to the relay and names the pair. The relay acknowledges nothing; the peer's first frame is the answer. */
export async function joinRelay(
  relay: { host: string; port: number },
  request: hbb.IRequestRelay,
  signal: AbortSignal,
): Promise<NetLink> {
  try {
    const { link } = await dialServer({
      address: relay,
      timeoutMs: RELAY_CONNECT_TIMEOUT_MS,
      signal,
      maxPayload: PAYLOAD_LIMITS.handshake,
      webSocket: true,
    });
    link.send(encodeRendezvous({ requestRelay: request }));
    return link;
  } catch (cause) {
    if (signal.aborted) throw aborted();
    throw relayUnreachable(formatHostPort(relay), cause);
  }
}
