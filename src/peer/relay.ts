/** The relay leg of both sides (rendezvous §7, §9.2b, §9.4). */
import { randomUUID } from 'node:crypto';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { encodeRendezvous } from '../core/wire/index.ts';
import type { hbb } from '../core/wire/index.ts';
import { formatHostPort } from '../net/index.ts';
import type { NetLink } from '../net/index.ts';
import { aborted, peerSilent, relayRefused, relayUnreachable } from './errors.ts';
import type { RendezvousConnection } from './rendezvous-client.ts';
import type { RelayAddress } from './server-address.ts';
import { dialServer } from './server-link.ts';

const RELAY_CONNECT_TIMEOUT_MS = 6_000;
const RELAY_ANSWER_TIMEOUT_MS = 6_000;

/**
 * Asks a peer through the server to meet at a relay (§9.2b); ends the connection. Gives what to name there. Errors:
 * PEER_NO_ANSWER, RELAY_REFUSED.
 */
export async function askForRelay(
  connection: RendezvousConnection,
  request: { id: string; relayServer: string; connType: hbb.ConnType; secure: boolean },
  signal: AbortSignal,
): Promise<{ uuid: string; ticket: Uint8Array | null | undefined }> {
  const uuid = randomUUID();
  try {
    connection.send({ requestRelay: { ...request, uuid, wantTicket: true } });
    const answer = (await connection.receive(RELAY_ANSWER_TIMEOUT_MS, signal))?.relayResponse;
    if (!answer) throw peerSilent(request.id, RELAY_ANSWER_TIMEOUT_MS);
    if (answer.refuseReason) throw relayRefused(answer.refuseReason);
    return { uuid, ticket: answer.relayTicket };
  } finally {
    connection.destroy();
  }
}

/** Connects to the relay and names the pair. The relay acknowledges nothing; the peer's first frame is the answer. */
export async function joinRelay(
  relay: RelayAddress,
  request: hbb.IRequestRelay | Promise<hbb.IRequestRelay>,
  signal: AbortSignal,
): Promise<NetLink> {
  try {
    const { host, port, route } = relay;
    // What is to be said may still be on its way while we dial.
    const [{ link }, requestRelay] = await Promise.all([
      dialServer({
        address: { host, port },
        route,
        timeoutMs: RELAY_CONNECT_TIMEOUT_MS,
        signal,
        maxPayload: PAYLOAD_LIMITS.handshake,
        webSocket: true,
      }),
      request,
    ]);
    link.send(encodeRendezvous({ requestRelay: { ...requestRelay, atRelay: true } }));
    return link;
  } catch (cause) {
    if (signal.aborted) throw aborted();
    throw relayUnreachable(formatHostPort(relay), cause);
  }
}
