/**
 * Runs on a host of the lab and connects when it is told to: one JSON command a line on stdin, one JSON answer a line on
 * stdout. One process for many connections, since starting one costs more than connecting does.
 */
import { createInterface } from 'node:readline';
import type { PathChange } from '../../src/core/native/contract.ts';
import { type Connected, Peer } from '../../src/peer/peer.ts';
import { parseServer } from '../../src/peer/server-address.ts';
import type { CellResult, GridCommand } from './contract.ts';

/** After the search has told why there is no direct path, or this long at most. */
const DIRECT_WITHIN_MS = 18_000;
const CONNECT_TIMEOUT_MS = 30_000;

const [dataDir = '', server = '', key = ''] = process.argv.slice(2);
const peer = await Peer.open({ dataDir, desktop: null, overrides: { server: parseServer(server, key), share: false } });

async function connect({ id, password, directWithinMs = DIRECT_WITHIN_MS }: GridCommand): Promise<CellResult> {
  const started = performance.now();
  const since = (): number => Math.round((performance.now() - started) * 10) / 10;
  let connection: Connected;
  try {
    connection = await peer.connect(id, { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS), password, video: false });
  } catch (error) {
    return { connected: false, reason: error instanceof Error ? error.message : String(error) };
  }
  const encryptedMs = since();
  const { session } = connection;
  const firstPath = connection.path;
  let moved: { path: string; ms: number } | null = null;
  const direct = new Promise<void>((resolve) => {
    if (firstPath !== 'relay') resolve();
    connection.onPathChange(({ to }: PathChange) => {
      if (to === 'relay' || moved) return;
      moved = { path: to, ms: since() };
      resolve();
    });
  });
  const closed = new Promise<string>((resolve) => session.on('closed', ({ reason }) => resolve(reason)));
  const opened = new Promise<void>((resolve) => session.on('opened', () => resolve()));
  session.start();
  const ended = await Promise.race([opened.then(() => null), closed]);
  if (ended !== null) return { connected: false, reason: `login: ${ended}` };
  await Promise.race([direct, closed, searchEnded(connection), new Promise((resolve) => setTimeout(resolve, directWithinMs))]);
  // What was better than the first path shows within this time.
  if (firstPath !== 'relay') await new Promise((resolve) => setTimeout(resolve, 300));
  const found = moved as { path: string; ms: number } | null;
  const result: CellResult = {
    connected: true,
    firstPath,
    encryptedMs,
    finalPath: found?.path ?? firstPath,
    finalMs: found?.ms ?? encryptedMs,
    reason: connection.path === 'relay' ? whyRelay(connection) : '',
    attempts: connection.attempts.map(({ path, ms, outcome, reason }) => `${path} ${outcome} after ${ms} ms: ${reason}`),
  };
  session.close();
  return result;
}

/** Resolves when a round of the search has found that there is no direct way, or two rounds have found none although there may be one. */
async function searchEnded(connection: Connected): Promise<void> {
  for (;;) {
    const failed = connection.attempts.filter(({ path, outcome }) => path !== 'relay' && outcome === 'failed');
    // At its end a round tells the same of each way; one that there may have been names the time.
    const ends = failed.filter(({ path, reason }, i) => path === 'tcp' && failed[i - 1]?.reason.endsWith(reason));
    if (ends.length > 1 || ends.some(({ reason }) => !reason.includes('within'))) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function whyRelay(connection: Connected): string {
  return connection.attempts.findLast(({ path, outcome }) => path !== 'relay' && outcome === 'failed')?.reason ?? 'nothing else was tried';
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as GridCommand;
  void connect(command).then((result) => process.stdout.write(`${JSON.stringify({ serial: command.serial, result })}\n`));
}
await peer.stop();
process.exit(0);
