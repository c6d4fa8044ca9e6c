/** Throughput, delay and memory of the relay, each beside a plain Node pipe in the same run. */
import { Child } from './child.ts';
import type { DelayResult, Target } from './relay-load.ts';
import type { ServerReady } from './subject.ts';

export interface RelayBenchOptions {
  readonly seconds: number;
  readonly idlePairs: number;
  readonly quick: boolean;
  /** Folder for data folders. */
  readonly parent: string;
}

export interface ThroughputRow {
  readonly frameBytes: number;
  readonly sessions: number;
  readonly pipe: number;
  readonly relay: number;
  /** Bytes for each second of the process's processor time. */
  readonly pipePerCpu: number;
  readonly relayPerCpu: number;
}
export interface DelayRow {
  readonly what: string;
  readonly frameBytes: number;
  readonly sessions: number;
  readonly rate: number;
  readonly direct: DelayResult;
  readonly pipe: DelayResult;
  readonly relay: DelayResult;
}
export interface RelayBenchResult {
  readonly throughput: ThroughputRow[];
  readonly delay: DelayRow[];
  /** Median round trip, µs. */
  readonly roundTrip: { readonly direct: number; readonly pipe: number; readonly relay: number };
  /** Resident memory for each idle pair. */
  readonly idleBytes: { readonly pipe: number; readonly relay: number; readonly pairs: number };
}

const LIMITS = { maxConnections: 100_000, maxConnectionsPerAddress: 100_000, maxRelayPairs: 50_000, relayIdleMs: 600_000 };
/** Bytes a second of a session at 1.5 Mbit/s. */
const SESSION_BYTES = 1_500_000 / 8;
const KIB = 1024;
/** Everything is measured in turns, more than once, and the best of each counts: what else the machine does hits all. */
const TRIP_ROUNDS = 6;
const ROUNDS = 2;
const MARK_ROUNDS = 3;

export async function benchRelay(options: RelayBenchOptions, say: (text: string) => void): Promise<RelayBenchResult> {
  const { seconds, quick, parent } = options;
  await using load = new Child('relay-load.ts');
  await using node = new Child('subject.ts');
  await using plain = new Child('subject.ts');
  const { relayPort, key } = await node.call<ServerReady>('server', { parent, limits: LIMITS, openRelay: true });
  const relay: Target = { port: relayPort, key };
  const pipe: Target = { port: await plain.call<number>('pipe'), key: null };
  const direct: Target = { port: 0, key: null };

  const trip = { frameBytes: KIB, rounds: 2_000 };
  const roundTrip = { direct: Number.POSITIVE_INFINITY, pipe: Number.POSITIVE_INFINITY, relay: Number.POSITIVE_INFINITY };
  const targets = { direct, pipe, relay };
  for (let round = 0; round < TRIP_ROUNDS; round++)
    for (const name of ['direct', 'pipe', 'relay'] as const)
      roundTrip[name] = Math.min(roundTrip[name], await load.call<number>('roundTrip', { ...targets[name], ...trip }));
  say(`round trip µs: direct ${roundTrip.direct.toFixed(0)}, pipe ${roundTrip.pipe.toFixed(0)}, relay ${roundTrip.relay.toFixed(0)}`);

  const measured = async (subject: Child, argument: object): Promise<[number, number]> => {
    const before = await subject.usage();
    const rate = await load.call<number>('throughput', argument);
    const after = await subject.usage();
    // The processor time also covers the warm-up, at the same rate.
    return [rate, (rate * (seconds + 0.4)) / ((after.cpuUs - before.cpuUs) / 1e6)];
  };
  const throughput: ThroughputRow[] = [];
  for (const frameBytes of [KIB, 64 * KIB])
    for (const sessions of quick ? [1, 50] : [1, 50, 100, 1_000]) {
      const best = { pipe: [0, 0], relay: [0, 0] };
      for (let round = 0; round < ROUNDS; round++)
        for (const [name, subject, target] of [['pipe', plain, pipe], ['relay', node, relay]] as const) {
          const result = await measured(subject, { ...target, sessions, frameBytes, seconds });
          if (result[0] > (best[name][0] ?? 0)) best[name] = result;
        }
      const [p = 0, pCpu = 0] = best.pipe;
      const [r = 0, rCpu = 0] = best.relay;
      throughput.push({ frameBytes, sessions, pipe: p, relay: r, pipePerCpu: pCpu, relayPerCpu: rCpu });
      say(`${frameBytes / KIB} KiB × ${sessions}: pipe ${(p / 1e6).toFixed(0)} MB/s, relay ${(r / 1e6).toFixed(0)} MB/s`);
    }

  const delay: DelayRow[] = [];
  const rows: [string, number, number, number][] = [];
  for (const sessions of quick ? [1, 100] : [1, 100, 1_000]) {
    rows.push(['1 KiB, 30 frames a second', KIB, sessions, 30]);
    rows.push(['64 KiB, 1.5 Mbit/s', 64 * KIB, sessions, SESSION_BYTES / (64 * KIB)]);
  }
  rows.push(['1.5 Mbit/s in 30 frames a second', SESSION_BYTES / 30, 1_000, 30]);
  for (const [what, frameBytes, sessions, rate] of rows) {
    const result: Partial<Record<'direct' | 'pipe' | 'relay', DelayResult>> = {};
    const isMark = sessions === 1_000 && rate === 30;
    for (let round = 0; round < (isMark ? MARK_ROUNDS : quick ? 1 : ROUNDS); round++)
      for (const name of ['direct', 'pipe', 'relay'] as const) {
        const one = await load.call<DelayResult>('delay', { ...targets[name], sessions, frameBytes, rate, seconds });
        if (one.p99 < (result[name]?.p99 ?? Number.POSITIVE_INFINITY)) result[name] = one;
      }
    const { direct: d, pipe: p, relay: r } = result;
    if (!d || !p || !r) throw new Error('no frame arrived');
    delay.push({ what, frameBytes, sessions, rate, direct: d, pipe: p, relay: r });
    const part = ({ p50, p99 }: DelayResult): string => `${p50.toFixed(2)}/${p99.toFixed(2)}`;
    say(`${what} × ${sessions}: p50/p99 ms direct ${part(d)}, pipe ${part(p)}, relay ${part(r)}`);
  }

  const pairs = options.idlePairs;
  const idle = async (what: string, argument: object | null): Promise<number> => {
    // Fresh processes: what was there before must not lend its free memory.
    await using fresh = new Child('subject.ts');
    const target: Target = argument
      ? await fresh.call<ServerReady>('server', argument).then((ready) => ({ port: ready.relayPort, key: ready.key }))
      : { port: await fresh.call<number>('pipe'), key: null };
    await load.call('openIdle', { ...target, sessions: 50 });
    const before = await fresh.usage();
    await load.call('openIdle', { ...target, sessions: pairs });
    const after = await fresh.usage();
    await load.call('closeIdle');
    const bytes = (after.rssBytes - before.rssBytes) / pairs;
    say(`${what}: ${(bytes / KIB).toFixed(1)} KiB for each of ${pairs} idle pairs`);
    return bytes;
  };
  const idleBytes = {
    pipe: await idle('pipe', null),
    relay: await idle('relay', { parent, limits: LIMITS, openRelay: true }),
    pairs,
  };
  return { throughput, delay, roundTrip, idleBytes };
}
