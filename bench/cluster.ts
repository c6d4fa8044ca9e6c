/**
 * `npm run bench:server -- cluster [workers] [kills]`: heartbeats with one and with two processes on one port; and what it costs when
 * nodes, a relay in use and Redis are killed under load. Both by default.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { ClusterWorld } from '../e2e/cluster/cluster-world.ts';
import { killEverythingOnce } from '../e2e/cluster/scenario.ts';
import { buildCli } from '../e2e/lib/cli-process.ts';
import { labUnavailable } from '../e2e/natlab/index.ts';
import { redisUnavailable } from '../src/server/cluster/test-redis.ts';
import { Child } from './server/child.ts';
import type { SpreadResult } from './server/spread-load.ts';
import { short, table } from './table.ts';

const MAIN = join(import.meta.dirname, '..', 'out', 'cli', 'litedesk.js');
/** Clock ticks a second in /proc/PID/stat. */
const TICKS = 100;

export interface WorkersRow {
  readonly workers: number;
  readonly peers: number;
  readonly registrationsPerSecond: number;
  readonly heartbeatsPerSecond: number;
  readonly heartbeatsPerCpuSecond: number;
  readonly lost: number;
  readonly refused: number;
}

/** Heartbeats as fast as they are answered, by one process and by two on one UDP port. */
async function benchWorkers(peers = 20_000, seconds = 4): Promise<WorkersRow[]> {
  const rows: WorkersRow[] = [];
  for (const workers of [1, 2]) {
    const dir = mkdtempSync(join(tmpdir(), 'litedesk-bench-'));
    const port = 20_000 + Math.floor(Math.random() * 5_000);
    const limits = ['addressBurst=1000000', 'addressIds=1000000'].flatMap((limit) => ['--limit', limit]);
    const args = ['server', '--data', dir, '--bind', '127.0.0.1', '--port', String(port), '--workers', String(workers), '--json', ...limits];
    const server = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    await new Promise((resolve) => createInterface({ input: server.stdout }).once('line', resolve));
    await using load = new Child('spread-load.ts');
    await load.call('open', { port, peers });
    const registered = await load.call<SpreadResult>('register');
    // Those whose datagram was lost register like anybody who got no answer.
    await load.call<SpreadResult>('register');
    const before = cpuSeconds(server);
    const beats = await load.call<SpreadResult>('heartbeats', { seconds });
    const cpu = cpuSeconds(server) - before;
    rows.push({
      ...{ workers, peers, registrationsPerSecond: registered.answered / registered.seconds },
      ...{ heartbeatsPerSecond: beats.answered / beats.seconds, heartbeatsPerCpuSecond: beats.answered / cpu },
      ...{ lost: beats.lost, refused: beats.refused },
    });
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill();
    await ended;
    rmSync(dir, { recursive: true, force: true });
  }
  return rows;
}

/** Processor time of a process and its children, all threads. */
function cpuSeconds({ pid = 0 }: ChildProcess): number {
  let ticks = 0;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const fields = readFileSync(`/proc/${entry}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
      if (Number(entry) === pid || Number(fields[1]) === pid) ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It ended while we looked.
    }
  }
  return ticks / TICKS;
}

/** At the pace of stock clients: heartbeats every 15 s, the next address after 3 s without an answer. */
async function benchKills(): Promise<string> {
  const world = await ClusterWorld.create();
  try {
    const report = await killEverythingOnce(world, {
      ...{ peers: 45, heartbeatMs: 15_000, answerMs: 3_000, probeMs: 500 },
      ...{ quietMs: 3_000, nodeMs: 19_500, settleMs: 5_000, redisAwayMs: 5_000, twoNodes: false },
    });
    const seconds = (list: readonly number[]): string =>
      list.length === 0 ? '–' : `${short(median(list) / 1000)} / ${short(Math.max(...list) / 1000)}`;
    return `${table(
      ['phase', 's', 'introductions', 'refused', 'peers away', 'away, s: median / longest', 'echoes through relays', 'session stood still, s: median / longest', 'registered', 'not acknowledged'],
      report.phases.map((phase) => [
        ...[phase.name, short(phase.seconds), phase.introduced, phase.refused, phase.unreachable.length],
        ...[seconds(phase.unreachable), phase.echoes, seconds(phase.sessionGaps), phase.registered, phase.notRegistered],
      ]),
    )}\n\nRegistrations acknowledged: ${report.acknowledged}; of these unknown to any node at the end: ${report.lost}.`;
  } finally {
    await world.destroy();
  }
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] ?? 0;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const asked = process.argv.slice(2);
  const wants = (part: string): boolean => asked.length === 0 || asked.includes(part);
  process.stdout.write(`${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.versions.node}\n`);
  buildCli();
  if (wants('workers')) {
    const rows = await benchWorkers();
    process.stdout.write(
      `\n## Processes on one UDP port\n\nServer and load share the cores.\n\n${table(
        ['processes', 'peers', 'registrations/s', 'heartbeats/s', 'heartbeats per CPU second', 'lost', 'sent to register'],
        rows.map((row) => [
          ...[String(row.workers), row.peers, short(row.registrationsPerSecond), short(row.heartbeatsPerSecond)],
          ...[short(row.heartbeatsPerCpuSecond), row.lost, row.refused],
        ]),
      )}\n`,
    );
  }
  if (wants('kills')) {
    const missing = labUnavailable() ?? redisUnavailable();
    if (missing !== null) process.stdout.write(`\nSKIPPED, kills: ${missing}\n`);
    else process.stdout.write(`\n## Killed under load\n\n${await benchKills()}\n`);
  }
  process.exit(0);
}
