/** A few telling cells of the grid of networks (bench/grid, docs/nat-matrix.md): what theory lets go direct goes direct. */
import { beforeAll, describe, expect, test } from 'vitest';
import { type GridCell, runGrid } from '../../bench/grid/grid.ts';
import { buildCli } from '../lib/cli-process.ts';
import { labUnavailable } from '../natlab/index.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, cells of the grid of networks: ${unavailable}`);
else buildCli();

const CELLS = [
  { pair: ['port-restricted', 'port-restricted'], final: ['udp', 'tcp'] },
  { pair: ['symmetric random', 'port-restricted'], final: ['udp'] },
  { pair: ['port-restricted', 'symmetric sequential'], final: ['udp'] },
  { pair: ['UDP blocked', 'port-restricted'], final: ['tcp'] },
  { pair: ['symmetric random', 'symmetric sequential'], final: ['relay'], reason: 'both NATs' },
  { pair: ['only TCP 443', 'port-restricted'], final: ['relay'], reason: 'no datagrams' },
] as const;

describe.skipIf(unavailable !== null)('pairs of networks', () => {
  let cells: GridCell[] = [];
  beforeAll(async () => {
    cells = await runGrid({ pairs: CELLS.map(({ pair }) => pair), concurrency: 3 });
  });
  const find = (controller: string, controlled: string): GridCell | undefined =>
    cells.find((cell) => cell.controller === controller && cell.controlled === controlled);

  test.each(CELLS)('$pair', ({ pair: [controller, controlled], final, ...more }) => {
    const { result } = find(controller, controlled) ?? {};
    if (!result?.connected) throw new Error(`not connected: ${result?.reason}`);
    expect(final, JSON.stringify(result)).toContain(result.finalPath);
    if ('reason' in more) expect(result.reason).toContain(more.reason);
  });

  test('two homes behind one carrier: through its hairpin, or by the relay with the reason', () => {
    const outcome = (name: string): unknown => find(name, name)?.result;
    expect(outcome('same LAN')).toMatchObject({ connected: true, finalPath: 'lan' });
    expect(outcome('two homes of one carrier, hairpin')).toMatchObject({ connected: true, finalPath: expect.stringMatching(/udp|tcp/) });
    expect(outcome('two homes of one carrier, no hairpin')).toMatchObject({
      connected: true,
      finalPath: 'relay',
      reason: expect.stringContaining('did not come back in'),
    });
  });
});
