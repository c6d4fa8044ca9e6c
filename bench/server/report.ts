/** The server's measurements as Markdown, misses included. */
import { short, table } from '../table.ts';
import type { PeersResult } from './registrations.ts';
import type { DelayResult } from './relay-load.ts';
import type { RelayBenchResult } from './relay.ts';

const verdict = (reached: boolean): string => (reached ? 'reached' : '**missed**');
const MB = 1e6;
const KIB = 1024;

export function peersSection(r: PeersResult): string {
  const kib = r.bytesPerPeer / KIB;
  return `### 100,000 computers on one node

A registration is answered once its row is on disk. The limits for one address are lifted, since the load has 64 addresses;
everything else is as it comes. The first comparison commits each row for itself, the second is a bare UDP socket of Node
that answers every datagram with a constant.

${table(
  ['measure', 'LiteDesk', 'compared with, same run', 'open server', 'mark', ''],
  [
    [
      'new registrations a second',
      short(r.registrationsPerSecond),
      `a commit each: ${short(r.insertEachPerSecond)}`,
      '3100',
      '≥ 15500',
      verdict(r.registrationsPerSecond >= 15_500),
    ],
    [
      'heartbeats a second, one process',
      short(r.heartbeatsPerSecond),
      `bare echo: ${short(r.echoPerSecond)}`,
      '180000–200000',
      '≥ 100000',
      verdict(r.heartbeatsPerSecond >= 100_000),
    ],
    [
      'heartbeats for each second of processor time',
      short(r.heartbeatsPerCpuSecond),
      `bare echo: ${short(r.echoPerCpuSecond)}`,
      '',
      '≥ 100000',
      verdict(r.heartbeatsPerCpuSecond >= 100_000),
    ],
    ['resident memory for each computer, KiB', short(kib), '', '0.7–1.0', '≤ 1', verdict(kib <= 1)],
    [
      `% of a core with heartbeats every 15 s (${short(r.pacedPerSecond)} a second)`,
      short(r.pacedCpuPercent),
      '',
      '',
      '',
      '',
    ],
  ],
)}

${r.lost} answers of all were lost, ${r.refused} were refusals. The process takes ${short(r.rssMib)} MiB in all.
`;
}

export function relaySection(r: RelayBenchResult): string {
  const mark = (frameBytes: number, sessions: number): number =>
    frameBytes < 64 * KIB ? 0 : sessions === 1 ? 448 : sessions === 50 ? 930 : 0;
  const throughput = table(
    ['frame KiB', 'sessions', 'relay MB/s', 'plain pipe MB/s', '% of the pipe', 'MB for a CPU second, relay / pipe', 'open server MB/s', ''],
    r.throughput.map((row) => {
      const least = mark(row.frameBytes, row.sessions);
      const reached = row.relay >= 0.8 * row.pipe && row.relay / MB >= least;
      return [
        row.frameBytes / KIB,
        row.sessions,
        short(row.relay / MB),
        short(row.pipe / MB),
        short((row.relay / row.pipe) * 100),
        `${short(row.relayPerCpu / MB)} / ${short(row.pipePerCpu / MB)}`,
        least > 0 ? String(least) : '',
        verdict(reached),
      ];
    }),
  );
  const ms = ({ p50, p99 }: DelayResult): string => `${p50.toFixed(2)} / ${p99.toFixed(2)}`;
  const delay = table(
    ['frames', 'sessions', 'direct, p50 / p99 ms', 'plain pipe', 'relay', 'added by the relay, p99 ms', ''],
    r.delay.map((row) => {
      const added = row.relay.p99 - row.direct.p99;
      return [row.what, row.sessions, ms(row.direct), ms(row.pipe), ms(row.relay), added.toFixed(2), row.sessions === 1_000 && row.rate === 30 && row.frameBytes > KIB ? `< 5: ${verdict(added < 5)}` : ''];
    }),
  );
  const addedUs = r.roundTrip.relay - r.roundTrip.direct;
  const idleKib = r.idleBytes.relay / KIB;
  return `### Relay

The plain pipe is \`a.pipe(b); b.pipe(a)\` in a Node process of its own. Each is measured in turns, at
least twice, and the best of each counts. Marks: the open server's figures, and 80 % of the pipe.

${throughput}

Delay from the write of a frame to the arrival of its last byte. Direct is the same two sockets without anybody between.

${delay}

${table(
  ['measure', 'relay', 'plain pipe', 'direct', 'open server', ''],
  [
    [
      'round trip of 1 KiB, µs',
      short(r.roundTrip.relay),
      short(r.roundTrip.pipe),
      short(r.roundTrip.direct),
      'direct + 20',
      `+${addedUs.toFixed(0)}: ${verdict(addedUs <= 20.5)}`,
    ],
    [`memory for an idle pair, KiB (${r.idleBytes.pairs} pairs)`, short(idleKib), short(r.idleBytes.pipe / KIB), '', '21.6', verdict(idleKib <= 21.6)],
  ],
)}
`;
}
