/**
 * `npm run bench:server [-- PART…] [-- --quick] [-- --write]`: one node under load. Parts: peers, relay; both by default.
 * `--quick` takes less than a minute, `--write` puts the section into docs/benchmarks.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { writeServerSection } from './document.ts';
import { benchPeers } from './server/registrations.ts';
import { benchRelay } from './server/relay.ts';
import { peersSection, relaySection } from './server/report.ts';

const args = process.argv.slice(2);
const quick = args.includes('--quick');
const parts = ['peers', 'relay'].filter((part) => args.includes(part));
const wanted = (part: string): boolean => parts.length === 0 || parts.includes(part);
if (process.platform !== 'linux') {
  process.stderr.write('This measurement needs Linux: the load sends many datagrams with one system call.\n');
  process.exit(1);
}

const MACHINE = `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown processor'}, Node ${process.versions.node}`;
process.stdout.write(`${MACHINE}; server, load and what they are compared with are separate processes on these cores.\n`);
const say = (text: string): void => void process.stdout.write(`  ${text}\n`);

// Beside the sources and not in /tmp, which may be memory: a commit is to wait for a disk.
const parent = mkdtempSync(join(import.meta.dirname, '..', '.bench-server-'));
const sections: string[] = [];
try {
  if (wanted('peers')) sections.push(peersSection(await benchPeers({ peers: 100_000, seconds: quick ? 1.5 : 4, quick, parent }, say)));
  if (wanted('relay'))
    sections.push(relaySection(await benchRelay({ seconds: quick ? 0.5 : 2, idlePairs: quick ? 1_000 : 3_000, quick, parent }, say)));
} finally {
  rmSync(parent, { recursive: true, force: true });
}
const text = sections.join('\n');
process.stdout.write(`\n${text}`);
if (args.includes('--write')) writeServerSection(MACHINE, text);
process.exit(0);
