/** The relay leg of both sides (rendezvous §7, §9.2b, §9.4). */
import { randomUUID } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { encodeRendezvous } from '../core/wire/index.ts';
import type { hbb } from '../core/wire/index.ts';
import { formatHostPort, resolveHost } from '../net/index.ts';
import type { NetLink } from '../net/index.ts';
import { type Racer, RacedLink } from '../net/raced-link.ts';
import { openRelayUdp } from '../net/relay-udp.ts';
import { aborted, peerSilent, relayRefused, relayUnreachable } from './errors.ts';
import type { RendezvousConnection } from './rendezvous-client.ts';
import type { RelayAddress } from './server-address.ts';
import { dialServer } from './server-link.ts';

const RELAY_CONNECT_TIMEOUT_MS = 6_000;
const RELAY_ANSWER_TIMEOUT_MS = 6_000;
/** Beside a quicker way TCP is dialled after this time, if nobody has answered by then: most answer within it. */
const STREAM_AFTER_MS = 150;

/**
 * Asks a peer through the server to meet at a relay (§9.2b); ends the connection. Gives what to name there. Errors:
 * PEER_NO_ANSWER, RELAY_REFUSED.
 */
export async function askForRelay(
  connection: RendezvousConnection,
  request: { id: string; relayServer: string; connType: hbb.ConnType; secure: boolean; byChoice?: boolean },
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

/** Which of the two we are, for the relay (proto: RequestRelay.relay_side). */
const RELAY_SIDE = { controller: 1, controlled: 2 } as const;

/** Where and how the relay is reached. */
export interface RelayWay extends RelayAddress {
  /** It is known to take datagrams, too. */
  readonly udp?: boolean;
  /** A connection that is there already, for us to use up. */
  readonly spare?: NetLink | null;
}

/**
 * Names the pair at the relay, by all the ways that may lead there at once; resolves as soon as one stands. The relay
 * acknowledges nothing: the peer's first frame is the answer, and decides by which of them it goes on. Errors:
 * RELAY_UNREACHABLE, ABORTED.
 */
export async function joinRelay(
  relay: RelayWay,
  side: keyof typeof RELAY_SIDE,
  request: hbb.IRequestRelay | Promise<hbb.IRequestRelay>,
  signal: AbortSignal,
): Promise<RacedLink> {
  const settled = new AbortController();
  const dialling = AbortSignal.any([signal, settled.signal]);
  // What is to be said may still be on its way while we dial.
  const requestRelay = Promise.resolve(request).then(
    (said): hbb.IRequestRelay => ({
      ...said,
      ...(relay.route ? { atRelay: true } : {}),
      // By two ways at once we must not be joined with ourselves.
      ...(relay.udp || relay.spare ? { relaySide: RELAY_SIDE[side] } : {}),
    }),
  );
  const { udp, spare } = relay;
  const ways = [
    // The controller waits for the other end anyway; who is waited for has a quicker way that worked before.
    joinByStream(relay, requestRelay, dialling, side === 'controlled' && (udp || spare) ? STREAM_AFTER_MS : 0),
    ...(udp ? [joinByDatagrams(relay, requestRelay, dialling)] : []),
    ...(spare ? [requestRelay.then((said): Racer => ({ link: spare, greeting: encodeRendezvous({ requestRelay: said }) }))] : []),
  ];
  const raced = new RacedLink(ways.length, () => settled.abort());
  for (const way of ways)
    way.then(
      (racer) => raced.add(racer),
      (error: unknown) => raced.lost(relayUnreachable(formatHostPort(relay), error)),
    );
  try {
    await Promise.any(ways);
    return raced;
  } catch (cause) {
    if (signal.aborted) throw aborted();
    throw relayUnreachable(formatHostPort(relay), (cause as AggregateError).errors[0]);
  }
}

async function joinByStream(
  relay: RelayAddress,
  request: Promise<hbb.IRequestRelay>,
  signal: AbortSignal,
  afterMs: number,
): Promise<Racer> {
  const { host, port, route } = relay;
  if (afterMs > 0) await sleep(afterMs, undefined, { signal });
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
  return { link, greeting: encodeRendezvous({ requestRelay }) };
}

/** Rendezvous §10 over the relay's own opening (docs/protocol.md). */
async function joinByDatagrams(relay: RelayAddress, request: Promise<hbb.IRequestRelay>, signal: AbortSignal): Promise<Racer> {
  const { port } = relay;
  const [hosts, said] = await Promise.all([resolveHost(relay.host, { signal, timeoutMs: RELAY_CONNECT_TIMEOUT_MS }), request]);
  const host = hosts.find((address) => !isIPv6(address)) ?? hosts[0] ?? relay.host;
  const link = await openRelayUdp({ relay: { host, port }, request: said, signal, link: { maxPayload: PAYLOAD_LIMITS.handshake } });
  return { link, greeting: null };
}
