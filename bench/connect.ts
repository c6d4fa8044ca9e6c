/**
 * Time from the start of a connection to a secured, logged-in session and the path it takes, for pairs of NATs, with
 * separate processes in the NAT laboratory; beside it a plain TCP connection from the same place to the server.
 */
import { World } from '../e2e/lib/world.ts';
import { type HostPlace, Probe } from '../e2e/natlab/index.ts';

export interface ConnectCell {
  readonly controller: string;
  readonly controlled: string;
  /** Two stock clients with an open server, from the start to a secured stream: path and ms. */
  readonly stock: string;
  readonly paths: readonly string[];
  /** Median of the time that `connect` itself reports, which starts with the dial to the server. */
  readonly medianMs: number;
  readonly worstMs: number;
  /** TCP handshake with the server from the controller's place. */
  readonly plainTcpMs: number;
}

interface Pair {
  readonly controller: HostPlace;
  readonly controlled: HostPlace;
  readonly stock: string;
}

/** The stock column is the baseline of rendezvous §9.7. */
const PAIRS: readonly Pair[] = [
  { controller: 'open', controlled: 'open', stock: 'tcp 2–7' },
  { controller: { behind: 'b' }, controlled: 'port-restricted', stock: 'lan 2–5' },
  { controller: 'full-cone', controlled: 'full-cone', stock: 'tcp 2–7' },
  { controller: 'restricted', controlled: 'restricted', stock: 'first: relay 18 110; later tcp 3' },
  { controller: 'port-restricted', controlled: 'open', stock: 'tcp 34' },
  { controller: 'port-restricted', controlled: 'port-restricted', stock: 'first: relay 18 110; later relay 1038' },
  { controller: 'symmetric', controlled: 'port-restricted', stock: 'relay 3–5' },
  { controller: 'port-restricted', controlled: 'symmetric', stock: 'relay 3–5' },
  { controller: 'symmetric', controlled: 'symmetric', stock: 'relay 3–5' },
  { controller: 'udp-blocked', controlled: 'open', stock: 'tcp 34' },
  { controller: 'udp-blocked', controlled: 'port-restricted', stock: 'first: relay 18 110; later relay 1038' },
  { controller: 'port-restricted', controlled: 'udp-blocked', stock: 'never' },
  { controller: 'udp-blocked', controlled: 'udp-blocked', stock: 'never' },
];

/** One cell per pair of places. */
export async function benchConnect(options: { readonly rounds?: number } = {}): Promise<ConnectCell[]> {
  const rounds = options.rounds ?? 5;
  const cells: ConnectCell[] = [];
  for (const pair of PAIRS) {
    const world = await World.create({ b: pair.controlled, a: pair.controller });
    try {
      const { id } = await world.startHost('b');
      const times: number[] = [];
      const paths = new Set<string>();
      for (let round = 0; round < rounds; round++) {
        const result = await world.connect('a', id);
        const connected = result.events.find((event) => event.event === 'connected');
        if (connected === undefined) {
          paths.add('failed');
          continue;
        }
        paths.add(String(connected['path']));
        times.push(Number(connected['elapsedMs']));
      }
      const probe = new Probe(world.lab.host('a'));
      const dial = await probe.tcpDial(world.serverAddress, 21116);
      const plain = await probe.tcpOutcome(dial, 5_000);
      times.sort((a, b) => a - b);
      cells.push({
        controller: nameOf(pair.controller),
        controlled: nameOf(pair.controlled),
        stock: pair.stock,
        paths: [...paths],
        medianMs: times[Math.floor(times.length / 2)] ?? Number.NaN,
        worstMs: times.at(-1) ?? Number.NaN,
        plainTcpMs: plain?.ms ?? Number.NaN,
      });
    } finally {
      await world.lab.destroy();
    }
  }
  return cells;
}

function nameOf(place: HostPlace): string {
  return typeof place === 'string' ? place : 'same LAN';
}
