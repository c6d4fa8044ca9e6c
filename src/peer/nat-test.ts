/** The NAT test of the wire (rendezvous §8): two TCP connections from one local port, two observed ports. */
import { hbb } from '../core/wire/index.ts';
import type { HostPort } from '../core/wire/index.ts';
import type { ServerRoute } from '../net/index.ts';
import { type MeasuredRelay, measureRelays } from './relay-latency.ts';
import { RendezvousConnection, resolveServer } from './rendezvous-client.ts';
import { routeTo } from './server-address.ts';
import type { ServerAddress } from './server-address.ts';

const ANSWER_TIMEOUT_MS = 4_000;

/** `asymmetric` = the mapping does not depend on the destination port, which lets holes be punched. */
export type NatType = 'unknown' | 'asymmetric' | 'symmetric';

/** What the server says of its relays with the answer. */
export interface ToldByServer {
  /** Named where there is a choice. */
  readonly relays: readonly string[];
  /** Its own one takes datagrams, too. */
  readonly relayUdp: boolean;
}

/**
 * Runs the test. Throws what RendezvousConnection.open throws; `unknown` when the server does not answer, or has only one
 * port (`route`): what a NAT does towards a second one cannot be seen there, only that the server is there.
 */
export async function testNat(
  server: HostPort,
  serverName: string,
  signal: AbortSignal,
  route?: ServerRoute,
  onTold?: (told: ToldByServer) => void,
): Promise<NatType> {
  const first = await observedPort(server, serverName, 0, signal, route);
  onTold?.(first);
  if (route) return 'unknown';
  const second = await observedPort(
    { host: server.host, port: server.port - 1 },
    serverName,
    first.localPort,
    signal,
  );
  if (first.port === 0 || second.port === 0) return 'unknown';
  return first.port === second.port ? 'asymmetric' : 'symmetric';
}

/** Looks the server up and runs the test; `unknown` for whatever goes wrong, since a connection will say it better. */
export function probeNat(
  server: ServerAddress,
  onMeasured?: (relays: readonly MeasuredRelay[]) => void,
  onTold?: (told: ToldByServer) => void,
): { result: Promise<NatType>; stop(): void } {
  const abort = new AbortController();
  const result = resolveServer(server, abort.signal)
    .then((address) =>
      testNat(address, `${server.host}:${server.port}`, abort.signal, routeTo(server, 'id'), (told) => {
        onTold?.(told);
        void measureRelays(told.relays, address.host, abort.signal).then(onMeasured);
      }),
    )
    .catch((): NatType => 'unknown');
  return { result, stop: () => abort.abort() };
}

async function observedPort(
  address: HostPort,
  serverName: string,
  localPort: number,
  signal: AbortSignal,
  route?: ServerRoute,
): Promise<ToldByServer & { port: number; localPort: number }> {
  const connection = await RendezvousConnection.open({ address, serverName, localPort, webSocket: false, signal, route });
  try {
    connection.send({ testNatRequest: { serial: 3, wantRelays: true } });
    const answer = await connection.receive(ANSWER_TIMEOUT_MS, signal);
    const { port = 0, relays, relayUdp } = answer?.testNatResponse ?? {};
    return { port: port ?? 0, localPort: connection.local.port, relays: relays ?? [], relayUdp: relayUdp === true };
  } catch (error) {
    if (signal.aborted) throw error;
    return { port: 0, localPort: connection.local.port, relays: [], relayUdp: false };
  } finally {
    connection.destroy();
  }
}

/** The label as the wire sends it. Names there are upside down: ASYMMETRIC is the cone (rendezvous §8). */
export function natTypeToWire(nat: NatType): hbb.NatType {
  if (nat === 'asymmetric') return hbb.NatType.ASYMMETRIC;
  return nat === 'symmetric' ? hbb.NatType.SYMMETRIC : hbb.NatType.UNKNOWN_NAT;
}
