/**
 * `npm run bench:tunnel [-- --quick] [-- --write]`: one stream's throughput and the time from dialling to the first byte of the
 * answer, through `litedesk forward`, beside plain TCP over the same path and beside `ssh -L`, in the same run. Two computers
 * in namespaces of their own, joined by a cable, or by a user-space forwarder with a bottleneck and half of the round trip in each
 * direction (e2e/natlab/delay.ts). `--write` puts the table into docs/benchmarks.md.
 */
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { buildCli, CliProcess } from '../e2e/lib/cli-process.ts';
import { PASSWORD, World } from '../e2e/lib/world.ts';
import { delayUnavailable } from '../e2e/natlab/index.ts';
import { sh } from '../e2e/natlab/shell.ts';
import { writeSection } from './document.ts';
import { short, table } from './table.ts';
import type { EndOptions } from './tunnel/end.ts';

const args = process.argv.slice(2);
const quick = args.includes('--quick');
const RTTS_MS = [0, 50, 100] as const;
const RATE_BPS = 200_000_000;
/** As long as the longest round trip here: what a line of this rate has. */
const QUEUE_BYTES = (RATE_BPS / 8) * 0.1;
const SETTLE_MS = quick ? 2_000 : 4_000;
const FOR_MS = quick ? 2_000 : 6_000;
const OPENS = quick ? 7 : 25;
const AT_ONCE = 20;
const PORT = 7000;
const SSH_PORT = 7022;
const SSH_FORWARD = 7001;

interface Row {
  readonly rttMs: number;
  readonly way: string;
  readonly bytesPerSecond: number;
  readonly openMs: number;
  readonly manyMs: number;
}

const missing = delayUnavailable() ?? (existsSync('/usr/sbin/sshd') ? null : 'openssh-server is not installed');
if (missing !== null) {
  process.stdout.write(`SKIPPED, tunnels: ${missing}\n`);
  process.exit(0);
}
buildCli();

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const endArgs = (options: EndOptions): string[] => ['--no-warnings', join(import.meta.dirname, 'tunnel', 'end.ts'), JSON.stringify(options)];

async function measure(world: World, rttMs: number, way: string, host: string, port: number): Promise<Row> {
  const near = world.lab.host('a');
  const ask = async (options: EndOptions): Promise<unknown> => {
    const { code, stdout, stderr } = await near.run(process.execPath, endArgs(options), { timeoutMs: 120_000 });
    if (code !== 0) throw new Error(`${way}: ${stderr}`);
    return JSON.parse(stdout);
  };
  const opens = (await ask({ role: 'open', host, port, times: OPENS, atOnce: 1 })) as number[];
  const many = (await ask({ role: 'open', host, port, times: quick ? 3 : 7, atOnce: AT_ONCE })) as number[];
  const bytesPerSecond = (await ask({ role: 'bulk', host, port, settleMs: SETTLE_MS, forMs: FOR_MS })) as number;
  const row = { rttMs, way, bytesPerSecond, openMs: median(opens), manyMs: median(many) };
  process.stdout.write(`  ${rttMs} ms, ${way}: ${short(bytesPerSecond / 1e6)} MB/s, ${short(row.openMs)} ms, ${short(row.manyMs)} ms\n`);
  return row;
}

/** sshd on the far side and `ssh -N -L` on the near one, with the ciphers that they agree on by themselves. */
function startSsh(world: World): void {
  const directory = world.lab.directory;
  sh(`mkdir -p /run/sshd; ssh-keygen -q -t ed25519 -N '' -f ${directory}/host_key; ssh-keygen -q -t ed25519 -N '' -f ${directory}/user_key`);
  world.lab.host('b').spawn('/usr/sbin/sshd', [
    ...['-D', '-e', '-f', '/dev/null', '-p', String(SSH_PORT), '-h', `${directory}/host_key`],
    ...['-o', 'UsePAM=no', '-o', 'StrictModes=no', '-o', 'PermitRootLogin=yes', '-o', `AuthorizedKeysFile=${directory}/user_key.pub`],
  ]);
  const far = world.lab.host('b').address;
  world.lab.host('a').spawn('bash', [
    '-c',
    `until ssh -N -L 127.0.0.1:${SSH_FORWARD}:${far}:${PORT} -p ${SSH_PORT} -i ${directory}/user_key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null root@${far}; do sleep 0.1; done`,
  ]);
}

async function measurePath(rttMs: number): Promise<Row[]> {
  const world = await World.create({ b: 'open', a: 'open' });
  try {
    const far = world.lab.host('b');
    if (rttMs > 0)
      await world.lab.setDelay('a', { up: { rateBps: RATE_BPS, queueBytes: QUEUE_BYTES, delayMs: rttMs / 2 } });
    far.spawn(process.execPath, endArgs({ role: 'serve', port: PORT }));
    startSsh(world);
    const { id } = await world.startHost('b', ['--allow', `tcp:${far.address}:${PORT}`]);
    const forward = new CliProcess(world.lab.host('a'), [
      ...['forward', id, '--data', join(world.lab.directory, 'forward'), '--password', PASSWORD],
      ...[...world.serverArgs, `0:${far.address}:${PORT}`],
    ]);
    const port = Number((await forward.waitFor('listening'))['port']);
    await forward.waitFor('connected');
    // ssh needs some round trips more.
    await new Promise((resolve) => setTimeout(resolve, 1_000 + 20 * rttMs));
    const rows = [
      await measure(world, rttMs, 'plain TCP', far.address, PORT),
      await measure(world, rttMs, 'litedesk forward', '127.0.0.1', port),
      await measure(world, rttMs, 'ssh -L', '127.0.0.1', SSH_FORWARD),
    ];
    const paths = forward.events.filter(({ event }) => event === 'connected' || event === 'path-changed').map((event) => String(event['to'] ?? event['path']));
    process.stdout.write(`  paths: ${paths.join(', ')}\n`);
    return rows;
  } finally {
    await world.lab.destroy();
  }
}

const rows: Row[] = [];
for (const rttMs of RTTS_MS) rows.push(...(await measurePath(rttMs)));

const plainOf = (rttMs: number): number => rows.find((row) => row.rttMs === rttMs && row.way === 'plain TCP')?.bytesPerSecond ?? 1;
const text = `## Tunnels

On ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.versions.node}. Two computers in namespaces: without a round trip
joined by a cable, else by a user-space forwarder with ${RATE_BPS / 1e6} Mbit/s and a queue of ${QUEUE_BYTES / 1e6} MB. One connection's throughput over ${FOR_MS / 1000} s
after ${SETTLE_MS / 1000} s of start; the median time from dialling to the first byte of the answer to what was sent at once, of one
connection and of the last of ${AT_ONCE} at once. Everything runs on the same cores, the rows of one path follow each other.

${table(
  ['round trip, ms', 'way', 'MB/s', '% of plain TCP', 'open + first byte, ms', `${AT_ONCE} at once, ms`],
  rows.map((row) => [
    ...[row.rttMs, row.way, short(row.bytesPerSecond / 1e6), short((100 * row.bytesPerSecond) / plainOf(row.rttMs))],
    ...[short(row.openMs), short(row.manyMs)],
  ]),
)}
`;
process.stdout.write(`\n${text}`);
if (args.includes('--write')) writeSection('tunnel', text);
process.exit(0);
