/**
 * `npm run bench [-- PART…] [-- --write]`: every measurement beside something else in the same run. Parts: link, kcp,
 * connect, session; all by default. `--write` puts the tables into docs/benchmarks.md. Alone: `grid` and `grid-delay`; of the
 * grid some pairs many times with `grid --pair 'open>UDP blocked' [--pair …] [--tries 50] [--loss 10 …]`.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { buildCli } from '../e2e/lib/cli-process.ts';
import { delayUnavailable, labUnavailable } from '../e2e/natlab/index.ts';
import { screenUnavailable } from '../e2e/lib/screen.ts';
import { benchConnect, type ConnectCell } from './connect.ts';
import { writeSection } from './document.ts';
import { benchGrid, benchGridDelay, benchPairs } from './grid/index.ts';
import { benchKcp } from './kcp.ts';
import { benchLinks } from './link.ts';
import { benchSeals } from './seal.ts';
import { benchSession } from './session.ts';
import { short, table } from './table.ts';

const docs = join(import.meta.dirname, '..', 'docs');
const args = process.argv.slice(2);
const PARTS = ['link', 'seal', 'kcp', 'connect', 'session'] as const;
type Part = (typeof PARTS)[number];
const asked = PARTS.filter((part) => args.includes(part));
const parts: readonly Part[] = asked.length > 0 ? asked : PARTS;

/** Says that the text for the document goes to the process that started this one, over the descriptor behind it. */
const COLLECT = '--collect';
const COLLECTED = 3;

const sections: string[] = [];
function show(title: string, remark: string, body: string): void {
  const text = `## ${title}\n\n${remark}\n\n${body}\n`;
  sections.push(text);
  process.stdout.write(`\n${text}`);
}

const MACHINE = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.versions.node}`;
if (!args.includes(COLLECT)) process.stdout.write(`${MACHINE}\n`);

const noLab = labUnavailable();
if (args.includes('grid') || args.includes('grid-delay')) {
  const missing = args.includes('grid-delay') ? delayUnavailable() : noLab;
  if (missing !== null) process.stdout.write(`SKIPPED, the grid of networks: ${missing}\n`);
  else {
    buildCli();
    const pairs = valuesOf('--pair');
    if (pairs.length > 0)
      await benchPairs({ pairs, tries: Number(valuesOf('--tries')[0] ?? 50), lossPercents: (valuesOf('--loss').length > 0 ? valuesOf('--loss') : [0]).map(Number) });
    else await (args.includes('grid') ? benchGrid : benchGridDelay)(docs, args.includes('--write'));
  }
  process.exit(0);
}

if (parts.length > 1) {
  // A process for each: what one part leaves compiled and on the heap is no business of the next.
  for (const part of parts) {
    const stdio = ['ignore', 'inherit', 'inherit', 'pipe'] as const;
    const done = spawnSync(process.execPath, [import.meta.filename, part, COLLECT], { stdio: [...stdio], encoding: 'utf8' });
    if (done.status !== 0) process.exit(done.status ?? 1);
    sections.push(done.output[3] ?? '');
  }
  if (args.includes('--write')) write();
  process.exit(0);
}

if (parts.includes('link')) {
  const rows = await benchLinks();
  show(
    'Links over TCP',
    'Loopback, both ends in one thread; the share is of plain TCP with writes of the same size.',
    table(
      ['link', 'frame KiB', 'MiB/s', 'MiB per CPU second', '% of plain TCP'],
      rows.map((row) => [row.name, row.frameBytes / 1024, short(row.mibPerSecond), short(row.mibPerCpuSecond), short(row.share * 100)]),
    ),
  );
}
if (parts.includes('seal')) {
  const rows = await benchSeals();
  show(
    'Sealing',
    'One thread, content in memory; native links have AES-256-GCM, stock ones secretbox.',
    table(
      ['cipher', 'frame KiB', 'seal MB/s', 'open MB/s', 'both, µs a frame'],
      rows.map((row) => [row.name, row.frameBytes / 1024, short(row.sealMbps), short(row.openMbps), short(row.frameUs)]),
    ),
  );
}
if (parts.includes('kcp')) {
  const rows = await benchKcp();
  show(
    'KCP over UDP',
    'Loopback, both ends in one thread, 64 KiB frames; loss is in each direction.',
    table(['transport', 'MiB/s', 'MiB per CPU second'], rows.map((row) => [row.name, short(row.mibPerSecond), short(row.mibPerCpuSecond)])),
  );
}
if (parts.includes('connect')) {
  if (noLab !== null) process.stdout.write(`\nSKIPPED, connect time per path: ${noLab}\n`);
  else {
    buildCli();
    const cells = await benchConnect();
    const body = matrix(cells);
    show('Connect time per path', 'Separate processes in the NAT laboratory, links without delay; ms from the dial to the server to the end of the key exchange, and of the whole command from the start of its process to the login.', body);
  }
}
if (parts.includes('session')) {
  const missing = noLab ?? screenUnavailable();
  if (missing !== null) process.stdout.write(`\nSKIPPED, a session: ${missing}\n`);
  else {
    const result = await benchSession();
    show(
      'A session at 1920 × 1080',
      'Two apps on this machine, behind two port-restricted NATs, both screens, both encoders and decoders on the same cores. The stock column is a stock host on a machine of this size.',
      table(['measure', 'LiteDesk', 'stock host'], result.rows),
    );
    process.stdout.write(`\nKey to colour change, ms:\n${result.histogram}\n`);
    const stages = `Its parts:\n\n${table(['part', 'p50 ms', 'p95 ms'], result.stages)}\n`;
    process.stdout.write(`\n${stages}`);
    sections.push(stages);
    sections.push(`Key pressed here to colour change decoded here, in ms:\n\n${indent(result.histogram)}\n`);
  }
}
if (args.includes(COLLECT)) writeFileSync(COLLECTED, sections.join('\n'));
else if (args.includes('--write')) write();
process.exit(0);

function write(): void {
  writeSection(
    'main',
    `# Benchmarks\n\nWritten by \`npm run bench -- --write\` on ${MACHINE}. Ratios matter, absolute figures do not.\n\n${sections.join('\n')}`,
  );
}

/** Every value given by that option. */
function valuesOf(option: string): string[] {
  return args.flatMap((arg, i) => (arg === option ? [args[i + 1] ?? ''] : []));
}

function matrix(cells: readonly ConnectCell[]): string {
  return table(
    ['controller', 'controlled', 'path', 'median ms', 'worst ms', 'command ms', 'plain TCP to the server, ms', 'two stock clients, open server'],
    cells.map((cell) => [
      ...[cell.controller, cell.controlled, cell.paths.join(', ')],
      ...[short(cell.medianMs), short(cell.worstMs), short(cell.commandMs), short(cell.plainTcpMs), cell.stock],
    ]),
  );
}

function indent(text: string): string {
  return text.split('\n').map((line) => `    ${line}`).join('\n');
}
