/**
 * `npm run bench:traversal [-- --write]`: goodput and the latency of small messages under bulk, for the native link, for KCP
 * between two of us, KCP as a stock peer sends it to us, and kernel TCP, each over the same emulated path in the same run. Two
 * network namespaces, joined by a user-space forwarder (e2e/natlab/delay.ts) with a bottleneck, a drop-tail queue, a delay
 * and random loss in each direction. `--write` puts the tables into docs/benchmarks.md. A part of it:
 *
 *     --path=20/100/1   the path of 20 Mbit/s, 100 ms and 1 % of loss alone; `beside`: only two connections at once
 *     --carrier=native  only those whose label has that
 *     --seconds=8       measures each for so long
 *     --settle=4        … after so long
 */
import { randomBytes } from 'node:crypto';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { createLab, type Lab, delayUnavailable } from '../e2e/natlab/index.ts';
import { writeSection } from './document.ts';
import { short, table } from './table.ts';
import { type Carrier, type EndOptions, type Report, SMALL_FRAME, type TcpKind } from './traversal/wire.ts';

interface Path {
  readonly rateBps: number;
  readonly rttMs: number;
  readonly loss: number;
  readonly queueBytes: number;
}

interface Row {
  readonly path: Path;
  readonly carrier: string;
  readonly report: Report;
  /** Own queue in front of the bottleneck. */
  readonly queueP95Ms: number;
  readonly queueMaxMs: number;
}

const args = process.argv.slice(2);
const MEGA = 1_000_000;
const option = (name: string): string | undefined => args.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
const SETTLE_MS = 1_000 * Number(option('settle') ?? 2.5);
const FOR_MS = 1_000 * Number(option('seconds') ?? 4);
const PORT = 40_000;

/** 100 ms of the bottleneck, as a home router has it; of the slow uplink half a second, as those have it. */
const HOME: Omit<Path, 'rttMs' | 'loss'> = { rateBps: 20 * MEGA, queueBytes: 250_000 };
const UPLINK: Omit<Path, 'rttMs' | 'loss'> = { rateBps: 1 * MEGA, queueBytes: 64_000 };
const PATHS: readonly Path[] = [20, 100].flatMap((rttMs) => [0, 0.01, 0.05].map((loss) => ({ ...HOME, rttMs, loss })));
const UPLINKS: readonly Path[] = [20, 100].map((rttMs) => ({ ...UPLINK, rttMs, loss: 0 }));

/** The path that two connections share. */
const SHARED: Path = { ...HOME, rttMs: 40, loss: 0 };

const CARRIERS: readonly { readonly label: string; readonly carrier: Carrier; readonly tcpKind?: TcpKind }[] = [
  { label: 'native link', carrier: 'native' },
  { label: 'KCP, LiteDesk', carrier: 'kcp' },
  { label: 'KCP, stock settings', carrier: 'stock' },
  { label: 'TCP, CUBIC', carrier: 'tcp', tcpKind: 'cubic' },
  { label: 'TCP, BBR', carrier: 'tcp', tcpKind: 'bbr' },
];

const [OURS] = CARRIERS as [(typeof CARRIERS)[number]];

const onlyPath = option('path');
const onlyCarrier = option('carrier') ?? '';
const isAsked = ({ rateBps, rttMs, loss }: Path): boolean =>
  onlyPath === undefined || onlyPath === `${rateBps / MEGA}/${rttMs}/${loss * 100}`;

const OPENING_TRIES = 3;
let port = PORT;

/** One connection from `a` to `b` over what path there is; resolves with what the receiver saw. */
async function carry(lab: Lab, { label, ...how }: (typeof CARRIERS)[number], atStart: () => Promise<void>): Promise<Report> {
  const [a, b] = [lab.host('a'), lab.host('b')];
  const common = { ...how, port: port++, settleMs: SETTLE_MS, forMs: FOR_MS, keySeed: randomBytes(32).toString('hex') };
  const command = (options: EndOptions): [string, string[]] => [
    process.execPath,
    ['--no-warnings', join(import.meta.dirname, 'traversal', 'end.ts'), JSON.stringify(options)],
  ];
  const receiving = b.run(...command({ ...common, role: 'receive', address: b.address, peer: a.address }), {
    timeoutMs: SETTLE_MS + FOR_MS + 30_000,
  });
  // The receiver listens within this time; a dial that comes earlier would only wait for a repeated SYN.
  await new Promise((resolve) => setTimeout(resolve, 700));
  const sending = a.spawn(...command({ ...common, role: 'send', address: a.address, peer: b.address }), {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  await atStart();
  const { code, stdout, stderr } = await receiving;
  if (sending.exitCode !== null && sending.exitCode !== 0) throw new Error(`the sender of ${label} ended`);
  if (code !== 0) throw new Error(`the receiver of ${label} failed: ${stderr}`);
  return JSON.parse(stdout) as Report;
}

/** The opening of stock KCP is hardly repeated, so that with loss some come to nothing: those are tried again. */
async function carryAgain(lab: Lab, carrier: (typeof CARRIERS)[number], atStart: () => Promise<void>): Promise<Report> {
  for (let tries = 1; ; tries++)
    try {
      return await carry(lab, carrier, atStart);
    } catch (error) {
      await lab.host('a').killAll();
      if (tries === OPENING_TRIES) throw error;
    }
}

async function shape(lab: Lab, { rateBps, queueBytes, loss, rttMs }: Path): Promise<void> {
  await lab.setDelay('a', { up: { rateBps, queueBytes, loss, delayMs: rttMs / 2 } });
}

async function measure(lab: Lab, path: Path, carrier: (typeof CARRIERS)[number]): Promise<Row> {
  await shape(lab, path);
  // What the start did to the queue is not counted.
  const report = await carryAgain(lab, carrier, async () => void (await lab.delayStats('a')));
  const { queueDelayMs } = (await lab.delayStats('a')).up;
  await lab.host('a').killAll();
  return { path, carrier: carrier.label, report, queueP95Ms: queueDelayMs.p95, queueMaxMs: queueDelayMs.max };
}

/** Two connections at once over one path. */
async function measureBeside(lab: Lab, other: (typeof CARRIERS)[number]): Promise<readonly [string, Report, Report]> {
  await shape(lab, SHARED);
  const [ours, theirs] = await Promise.all([OURS, other].map((carrier) => carry(lab, carrier, () => Promise.resolve())));
  await lab.host('a').killAll();
  return [other.label, ours as Report, theirs as Report];
}

async function measureAll(lab: Lab, path: Path): Promise<Row[]> {
  const rows: Row[] = [];
  for (const carrier of CARRIERS.filter(({ label }) => label.includes(onlyCarrier))) {
    rows.push(await measure(lab, path, carrier));
    process.stdout.write('.');
  }
  return rows;
}

function tableOf(rows: readonly Row[]): string {
  return table(
    ['carrier', 'Mbit/s', 'RTT ms', 'loss %', 'goodput Mbit/s', '% of CUBIC', '1 MiB after ms', 'small p50 ms', 'p95 ms', 'p99 ms', 'queue p95 ms', 'queue max ms'],
    rows.map(({ path, carrier, report, queueP95Ms, queueMaxMs }) => {
      const cubic = rows.find((row) => row.path === path && row.carrier === 'TCP, CUBIC');
      return [
        ...[carrier, path.rateBps / MEGA, path.rttMs, path.loss * 100, short(report.goodputBps / MEGA)],
        short((report.goodputBps / (cubic?.report.goodputBps ?? Number.NaN)) * 100),
        short(report.firstMs ?? Number.NaN),
        ...[report.p50Ms, report.p95Ms, report.p99Ms, queueP95Ms, queueMaxMs].map(short),
      ];
    }),
  );
}

async function main(): Promise<void> {
  const unavailable = delayUnavailable();
  if (unavailable !== null) {
    process.stdout.write(`SKIPPED, carriers over an emulated path: ${unavailable}\n`);
    return;
  }
  const lab = await createLab({ hosts: { a: 'open', b: 'open' } });
  const rows: Row[] = [];
  const pairs: (readonly [string, Report, Report])[] = [];
  try {
    for (const path of [...UPLINKS, ...PATHS].filter(isAsked)) rows.push(...(await measureAll(lab, path)));
    if ((onlyPath ?? 'beside') === 'beside' && onlyCarrier === '')
      for (const other of CARRIERS.filter(({ carrier }) => carrier === 'native' || carrier === 'tcp')) pairs.push(await measureBeside(lab, other));
  } finally {
    await lab.destroy();
  }
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.versions.node}`;
  const load = short(loadavg()[2] ?? 0);
  const text = `## Carriers over an emulated path

On ${machine}. Two namespaces and a user-space forwarder between them: a bottleneck with a drop-tail queue (64 kB at 1 Mbit/s,
250 kB at 20 Mbit/s), then half of the round trip and the loss, in each direction. One connection carries bulk and a message of
${SMALL_FRAME} bytes every 20 ms, whose time from send to receipt is shown; so it holds everything that waits in front of it, in the
program, in the system and on the path. The native link is what sessions between two LiteDesk peers have: sealed, numbered and
acknowledged over KCP, the bulk in its channel of streams and the small messages in that of the session. "1 MiB after" is from the first
byte on a connection that stands. "queue" is what datagrams spent in the bottleneck's queue alone. Each measurement is
${FOR_MS / 1000} s after ${SETTLE_MS / 1000} s of start; rows of one path follow each other in one run.
The machine's load over the last 15 minutes was ${load}; above the number of cores, programs wait for each other, which KCP and the
native link feel and TCP in the kernel does not.

${tableOf(rows)}

The native link beside another connection at the same time, ${SHARED.rateBps / MEGA} Mbit/s and ${SHARED.rttMs} ms without loss:

${table(
  ['beside', 'native Mbit/s', 'the other Mbit/s', 'native small p50 ms', 'p95 ms'],
  pairs.map(([label, ours, theirs]) => [label, ...[ours.goodputBps / MEGA, theirs.goodputBps / MEGA, ours.p50Ms, ours.p95Ms].map(short)]),
)}
`;
  process.stdout.write(`\n${text}`);
  if (args.includes('--write')) writeSection('traversal', text);
}

await main();
process.exit(0);
