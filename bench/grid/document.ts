/** The grid's results as the tables of docs/nat-matrix.md. */
import { short, table } from '../table.ts';
import type { GridCell } from './grid.ts';
import { PLACES, STOCK } from './places.ts';

export interface BirthdayResult {
  readonly tries: number;
  readonly withinMs: number;
  readonly direct: number;
  readonly medianMs: number;
  readonly worstMs: number;
}

/** One row for each pair, with what happened without and with loss. */
export function gridTable(cells: readonly GridCell[], losses: readonly number[]): string {
  const rows = new Map<string, GridCell[]>();
  for (const cell of cells) {
    const key = `${cell.controller}>${cell.controlled}`;
    rows.set(key, [...(rows.get(key) ?? []), cell]);
  }
  const order = (name: string): number => {
    const at = PLACES.findIndex((place) => place.name === name);
    return at < 0 ? PLACES.length : at;
  };
  const sorted = [...rows.values()].sort(([a], [b]) => order(a?.controller ?? '') - order(b?.controller ?? '') || order(a?.controlled ?? '') - order(b?.controlled ?? ''));
  return table(
    ['controller', 'controlled', ...losses.flatMap((loss) => [`${loss} %: first`, 'ms', 'final', 'ms']), 'why not direct', 'two stock clients'],
    sorted.map((row) => {
      const [first] = row;
      return [
        first?.controller ?? '',
        first?.controlled ?? '',
        ...losses.flatMap((loss) => columns(row.find(({ lossPercent }) => lossPercent === loss))),
        reasonOf(row),
        stockOf(first),
      ];
    }),
  );
}

function columns(cell: GridCell | undefined): string[] {
  if (!cell) return ['', '', '', ''];
  const { result } = cell;
  if (!result.connected) return ['**none**', '', '', ''];
  return [result.firstPath, short(result.encryptedMs), result.finalPath, short(result.finalMs)];
}

function reasonOf(row: readonly GridCell[]): string {
  for (const { result } of row) {
    if (!result.connected) return `not connected: ${result.reason}`;
    if (result.finalPath === 'relay') return result.reason;
  }
  return '';
}

function stockOf(cell: GridCell | undefined): string {
  const kind = (name: string | undefined): string => PLACES.find((place) => place.name === name)?.stock ?? '';
  if (cell?.controller === 'same LAN') return 'lan 2–5';
  // Stock clients know one kind of symmetric NAT, and no port mapping is theirs.
  return STOCK[`${kind(cell?.controller)}>${kind(cell?.controlled)}`] ?? '';
}

/** Sums up how many cells connected and went direct. */
export function gridSummary(cells: readonly GridCell[], losses: readonly number[]): string {
  return losses
    .map((loss) => {
      const own = cells.filter(({ lossPercent }) => lossPercent === loss);
      const connected = own.filter(({ result }) => result.connected).length;
      const direct = own.filter(({ result }) => result.connected && result.finalPath !== 'relay').length;
      const times = own.flatMap(({ result }) => (result.connected ? [result.encryptedMs] : [])).sort((a, b) => a - b);
      return `At ${loss} % loss ${connected} of ${own.length} pairs connect, ${direct} of them directly; first encrypted byte after ${short(quantile(times, 0.5))} ms (median), ${short(quantile(times, 0.99))} ms (99 of 100).`;
    })
    .join('\n');
}

export function birthdayLine({ tries, withinMs, direct, medianMs, worstMs }: BirthdayResult): string {
  return `Random ports × port-restricted, ${tries} tries one by one: ${direct} direct within ${withinMs / 1000} s; median ${short(medianMs)} ms, worst ${short(worstMs)} ms from the start of the connection.`;
}

/** The value below which that share lies; the list is sorted. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

/** Several rounds of each pair: how long the first encrypted byte took, and the direct path. */
export function delayTable(cells: readonly GridCell[]): string {
  const rows = new Map<string, GridCell[]>();
  for (const cell of cells) {
    const key = `${cell.controller}>${cell.controlled}`;
    rows.set(key, [...(rows.get(key) ?? []), cell]);
  }
  return table(
    ['controller', 'controlled', 'tries', 'connected', 'first byte p50', 'p99', 'direct', 'direct p50', 'after the first byte p50'],
    [...rows.values()].map((row) => {
      const good = row.flatMap(({ result }) => (result.connected ? [result] : []));
      const direct = good.filter(({ finalPath }) => finalPath !== 'relay');
      const sorted = (times: readonly number[]): number[] => [...times].sort((a, b) => a - b);
      const first = sorted(good.map(({ encryptedMs }) => encryptedMs));
      return [
        row[0]?.controller ?? '',
        row[0]?.controlled ?? '',
        row.length,
        good.length,
        short(quantile(first, 0.5)),
        short(quantile(first, 0.99)),
        direct.length,
        short(quantile(sorted(direct.map(({ finalMs }) => finalMs)), 0.5)),
        short(quantile(sorted(direct.map(({ finalMs, encryptedMs }) => finalMs - encryptedMs)), 0.5)),
      ];
    }),
  );
}
