/**
 * Every kind of network against every other: whether two peers connect, by which way first, and by which way in the end. One
 * lab, one server, one process for each place; cells run side by side as far as that does not spoil the times.
 */
import { PASSWORD, World } from '../../e2e/lib/world.ts';
import { miniupnpdUnavailable, PUBLIC_LOOKING, startMiniupnpd } from '../../e2e/natlab/index.ts';
import type { CellResult } from './contract.ts';
import { GridController } from './controller.ts';
import { CONTROLLED, CONTROLLER } from './names.ts';
import { gridHosts, type GridPlace, NEIGHBOURS, type NeighbourPair, PLACES } from './places.ts';

export interface GridCell {
  readonly controller: string;
  readonly controlled: string;
  readonly lossPercent: number;
  readonly result: CellResult;
}

export interface GridOptions {
  readonly places?: readonly GridPlace[];
  readonly neighbours?: readonly NeighbourPair[];
  readonly lossPercents?: readonly number[];
  /** Cells at once: two processors make more of them wait for each other. */
  readonly concurrency?: number;
  /** One way to the server's and to each peer's cable, in milliseconds. */
  readonly delayMs?: { readonly server: number; readonly peer: number };
  /** How often each cell is run. */
  readonly rounds?: number;
  /** Only these pairs of places (by name), instead of all. */
  readonly pairs?: readonly (readonly [controller: string, controlled: string])[];
  readonly onCell?: (cell: GridCell) => void;
}

interface Side {
  readonly name: string;
  /** Host in the lab. */
  readonly host: string;
  readonly only443: boolean;
}

/** Runs the grid. The caller has asked `labUnavailable()`; without miniupnpd its gateways are left out. */
export async function runGrid(options: GridOptions = {}): Promise<GridCell[]> {
  const { lossPercents = [0], concurrency = 5, rounds = 1, neighbours = NEIGHBOURS, delayMs } = options;
  const noGateway = miniupnpdUnavailable() !== null;
  const wanted = new Set(options.pairs?.flat());
  const places = (options.places ?? PLACES).filter(
    ({ opensPorts, name }) => !(noGateway && opensPorts) && (!options.pairs || wanted.has(name)),
  );
  const world = await World.create(gridHosts(places, neighbours), ['--single-port', '443'], { segment: PUBLIC_LOOKING });
  try {
    for (const [i, { opensPorts }] of places.entries())
      if (opensPorts)
        for (const side of [CONTROLLED, CONTROLLER])
          await startMiniupnpd(world.lab, `${side}${i}`, opensPorts === 'upnp' ? { natPmpAndPcp: false } : { igd: null });
    if (delayMs) {
      await world.lab.setDelay('server', { up: { delayMs: delayMs.server } });
      const hosts = Object.keys(gridHosts(places, neighbours));
      for (const host of hosts) await world.lab.setDelay(host, { up: { delayMs: delayMs.peer } });
    }
    const sides = (letter: string): Side[] => [
      ...places.map(({ name, only443 = false }, i) => ({ name, host: `${letter}${i}`, only443 })),
      ...neighbours.map(({ name }, i) => ({ name, host: `${letter}n${i}`, only443: false })),
    ];
    const server = (side: Side): string => (side.only443 ? `single://${world.serverAddress}:443` : world.serverAddress);
    const ids = new Map<string, string>();
    const controllers = new Map<string, GridController>();
    await inTurn(sides(CONTROLLED), 4, async (side) => {
      const { id } = await world.startHost(side.host, ['--server', server(side), '--key', world.key]);
      ids.set(side.name, id);
    });
    for (const side of sides(CONTROLLER))
      controllers.set(side.name, new GridController(world.lab.host(side.host), `${world.lab.directory}/${side.host}`, server(side), world.key));
    const pairs: (readonly [string, string])[] = [
      ...(options.pairs ?? places.flatMap((a) => places.map((b) => [a.name, b.name] as const))),
      ...neighbours.map(({ name }) => [name, name] as const),
    ];
    const cells: GridCell[] = [];
    for (const lossPercent of lossPercents) {
      world.lab.setLoss(lossPercent);
      const jobs = Array.from({ length: rounds }, () => scattered(pairs)).flat();
      await inTurn(jobs, concurrency, async ([controller, controlled]) => {
        const result = (await controllers.get(controller)?.connect(ids.get(controlled) ?? '', PASSWORD)) ?? { connected: false, reason: 'no such place' };
        const cell: GridCell = { controller, controlled, lossPercent, result };
        cells.push(cell);
        options.onCell?.(cell);
      });
    }
    return cells;
  } finally {
    await world.lab.destroy();
  }
}

/** In an order in which neighbours in the list do not share a place, so that none is busy twice at once. */
function scattered<T>(items: readonly T[]): T[] {
  const step = 13;
  const count = items.length;
  if (count % step === 0) return [...items];
  return items.map((_, i) => items[(i * step) % count] as T);
}

async function inTurn<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
}
