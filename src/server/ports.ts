/** Which ports the server opens. */
export interface ServerPorts {
  /** TCP and UDP. */
  readonly rendezvous: number;
  readonly natTest: number;
  readonly ws: number;
  readonly relay: number;
  readonly relayWs: number;
  /** Off unless asked for. */
  readonly lobby: number;
  /** Everything at once, TCP and UDP. */
  readonly single: number;
  readonly metrics: number;
  readonly http: number;
  readonly https: number;
}

/** What a caller may ask for: 0 turns a part off, absent takes its place beside `rendezvous`, which may be -1: any free block. */
export type WantedPorts = Partial<ServerPorts>;

/** For a free block of five: below the range from which systems take ports for outgoing connections. */
const BLOCK_RANGE = { first: 10_000, last: 30_000 };

/** The classic layout around a rendezvous port (rendezvous §1); without one only what is asked for. */
export function portsAround(rendezvous: number, wanted: WantedPorts = {}): ServerPorts {
  const beside = (distance: number): number => (rendezvous > 0 ? rendezvous + distance : 0);
  const relay = wanted.relay ?? beside(1);
  return {
    rendezvous,
    natTest: wanted.natTest ?? beside(-1),
    ws: wanted.ws ?? beside(2),
    relay,
    relayWs: wanted.relayWs ?? (relay > 0 ? relay + 2 : 0),
    lobby: wanted.lobby ?? 0,
    single: wanted.single ?? 0,
    metrics: wanted.metrics ?? 0,
    http: wanted.http ?? 0,
    https: wanted.https ?? 0,
  };
}

export function randomRendezvousPort(random: () => number = Math.random): number {
  return BLOCK_RANGE.first + Math.floor(random() * (BLOCK_RANGE.last - BLOCK_RANGE.first));
}
