import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from 'vitest';
import { buildCli } from '../lib/cli-process.ts';
import type { CliEvent, CliProcess } from '../lib/cli-process.ts';
import { labUnavailable } from '../natlab/index.ts';
import type { LabHost } from '../natlab/index.ts';
import { listeningPorts, TunnelWorld } from '../tunnel/tunnel-world.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, moving between paths: ${unavailable}`);
else buildCli();

/** LITEDESK_MIGRATION_MIB=1024 is the whole of it; less keeps the test short. */
const MIB = Number(process.env['LITEDESK_MIGRATION_MIB'] ?? 64);
const MOVES = 10;
/** Bytes a second: slow enough to last for all moves, and to be at work during each. */
const RATE = Math.ceil((MIB * 1024 * 1024) / 25);
const SOURCE_PORT = 7_001;
const DIRECT: readonly unknown[] = ['tcp', 'udp', 'ipv6', 'mapped'];

interface Line {
  readonly bytes?: number;
  readonly sha256?: string;
  readonly pauses?: readonly number[];
}

/** Starts one end of the transfer (bulk.mjs); `ready` resolves with its first line, `result` with its last. */
function bulk(host: LabHost, args: readonly (string | number)[]): { ready: Promise<unknown>; result: Promise<Line>; hurry(): void } {
  const child = host.spawn(process.execPath, [join(import.meta.dirname, 'bulk.mjs'), ...args.map(String)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  let last: Line = {};
  lines.on('line', (line) => (last = JSON.parse(line) as Line));
  return { ready: once(lines, 'line'), result: once(child, 'close').then(() => last), hurry: () => void child.stdin?.write('hurry\n') };
}

describe.skipIf(unavailable !== null)('a session whose paths are cut', () => {
  let world: TunnelWorld | undefined;
  afterEach(async () => {
    await world?.destroy();
    world = undefined;
  });

  test(`${MIB} MiB arrive bit for bit while each path is cut in turn, ${MOVES} times`, { timeout: 900_000 }, async () => {
    world = await TunnelWorld.create();
    const { lab, serverAddress } = world.world;
    const [a, b] = [lab.host('a').publicAddress, lab.host('b').publicAddress];
    const host = await world.world.startHost('b', ['--allow', `tcp:${world.nas.address}:1-65535`]);
    const source = bulk(world.nas, ['source', SOURCE_PORT, MIB * 1024 * 1024, RATE]);
    await source.ready;
    const forward = world.start('forward', host.id, [`0:${world.nas.address}:${SOURCE_PORT}`]);
    const [port = 0] = (await listeningPorts(forward, 1)).values();
    await forward.waitFor('connected');
    await on(forward, DIRECT);
    const sink = bulk(world.near, ['sink', port]);
    const moves: string[] = [];
    for (let move = 0; move < MOVES; move++) {
      const toRelay = move % 2 === 0;
      const from = forward.events.length;
      lab.cut(toRelay ? [[a, b]] : [[a, serverAddress], [b, serverAddress]]);
      const wanted = toRelay ? ['relay'] : DIRECT;
      const { from: left, to, pauseMs } = await forward.waitFor('path-changed', { from, where: (event) => wanted.includes(event['to']) });
      moves.push(`${String(left)} → ${String(to)} ${String(pauseMs)} ms`);
      lab.cut([]);
    }
    // What is left has nothing more to show.
    source.hurry();
    const [sent, received] = await Promise.all([source.result, sink.result]);
    console.warn(`moves, as the controller saw them: ${moves.join(', ')}`);
    console.warn(`pauses of the reader above 150 ms: ${JSON.stringify(received.pauses)}`);
    expect(received.bytes).toBe(MIB * 1024 * 1024);
    expect(received.sha256).toBe(sent.sha256);
    // A busy machine may notice that one way is gone before it has heard by the other: that is no new session.
    expect(forward.events.filter(({ event, code }) => event === 'reconnecting' && code !== 'TUNNEL_SEARCHING')).toEqual([]);
    expect(host.process.events.filter(({ event }) => event === 'session-opened')).toHaveLength(1);
  });
});

/** Waits until the session goes by one of `paths`. */
async function on(process: CliProcess, paths: readonly unknown[]): Promise<CliEvent> {
  const now = process.events.findLast(({ event }) => event === 'connected' || event === 'path-changed');
  if (now && paths.includes(now['to'] ?? now['path'])) return now;
  return await process.waitFor('path-changed', { where: ({ to }) => paths.includes(to) });
}
