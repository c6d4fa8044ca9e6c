/**
 * Time from the start of a connection to a secured link and the path it takes, for pairs of NATs, with
 * separate processes in the NAT laboratory; beside it a plain TCP connection from the same place to the server.
 */
import { World } from '../e2e/lib/world.ts';
import { type HostPlace, type NatKind, Probe } from '../e2e/natlab/index.ts';
import { STOCK } from './grid/places.ts';

export interface ConnectCell {
  readonly controller: string;
  readonly controlled: string;
  /** Two stock clients with an open server, from the start to a secured stream: path and ms. */
  readonly stock: string;
  readonly paths: readonly string[];
  /** Median of the time that `connect` itself reports, which starts with the dial to the server. */
  readonly medianMs: number;
  readonly worstMs: number;
  /** Median from the start of the process until the login is answered: what the command costs a person. */
  readonly commandMs: number;
  /** TCP handshake with the server from the controller's place. */
  readonly plainTcpMs: number;
}

const PAIRS: readonly { readonly controller: HostPlace; readonly controlled: NatKind }[] = [
  { controller: { behind: 'b' }, controlled: 'port-restricted' },
  ...Object.keys(STOCK).map((pair) => {
    const [controller, controlled] = pair.split('>') as [NatKind, NatKind];
    return { controller, controlled };
  }),
];
/** As STOCK has it for pairs of networks. */
const STOCK_ON_ONE_LAN = 'lan 2–5';

/** One cell per pair of places. */
export async function benchConnect(options: { readonly rounds?: number } = {}): Promise<ConnectCell[]> {
  const rounds = options.rounds ?? 5;
  const cells: ConnectCell[] = [];
  for (const pair of PAIRS) {
    const world = await World.create({ b: pair.controlled, a: pair.controller });
    try {
      const { id } = await world.startHost('b');
      const times: number[] = [];
      const commands: number[] = [];
      const paths = new Set<string>();
      for (let round = 0; round < rounds; round++) {
        const started = performance.now();
        const command = world.startConnect('a', id);
        const connected = await command.waitFor('connected').catch(() => null);
        const commandMs = performance.now() - started;
        await command.finished();
        if (connected === null) {
          paths.add('failed');
          continue;
        }
        commands.push(commandMs);
        paths.add(String(connected['path']));
        times.push(Number(connected['elapsedMs']));
      }
      const probe = new Probe(world.lab.host('a'));
      const dial = await probe.tcpDial(world.serverAddress, 21116);
      const plain = await probe.tcpOutcome(dial, 5_000);
      for (const all of [times, commands]) all.sort((a, b) => a - b);
      cells.push({
        controller: nameOf(pair.controller),
        controlled: pair.controlled,
        stock: STOCK[`${nameOf(pair.controller)}>${pair.controlled}`] ?? STOCK_ON_ONE_LAN,
        paths: [...paths],
        medianMs: times[Math.floor(times.length / 2)] ?? Number.NaN,
        worstMs: times.at(-1) ?? Number.NaN,
        commandMs: commands[Math.floor(commands.length / 2)] ?? Number.NaN,
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
