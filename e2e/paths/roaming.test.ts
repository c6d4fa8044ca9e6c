import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { buildCli } from '../lib/cli-process.ts';
import type { CliEvent, CliProcess } from '../lib/cli-process.ts';
import { World } from '../lib/world.ts';
import { labUnavailable } from '../natlab/index.ts';
import type { HostPlace, WaitOptions } from '../natlab/index.ts';
import { sh } from '../natlab/shell.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, sessions that outlive their network: ${unavailable}`);
else buildCli();

/** Seconds that the controller's computer sleeps; LITEDESK_SLEEP_S=40 is longer than any silence that ends a stock session. */
const SLEEP_S = Number(process.env['LITEDESK_SLEEP_S'] ?? 8);
/** For the tries that fail and the pauses between them, on a machine that is busy with other things. */
const MOVED_WITHIN_MS = 60_000;
/** A path counts as silent after less than a second, and what is left of others is tried at once. */
const REST_MS = 2_500;

/** Side by side: each has a lab of its own, and what takes long in it is waiting. */
describe.skipIf(unavailable !== null).concurrent('a session outlives its network', () => {
  const worlds = new Set<World>();
  afterAll(() => Promise.all([...worlds].map((world) => world.lab.destroy())));

  interface Running {
    readonly world: World;
    readonly host: { id: string; process: CliProcess };
    readonly session: CliProcess;
  }

  async function start(places: Record<'a' | 'b', HostPlace>, args: readonly string[] = []): Promise<Running> {
    const world = await World.create(places);
    worlds.add(world);
    const host = await world.startHost('b');
    const session = world.startConnect('a', host.id, ['--hold', '300', ...args]);
    await session.waitFor('connected');
    await host.process.waitFor('session-opened');
    const running = { world, host, session };
    // A move that is under way anyway would be taken for the one that is waited for.
    await rests(running);
    return running;
  }

  const moves = ({ host, session }: Running): CliEvent[] =>
    [...session.events, ...host.process.events].filter(({ event }) => event === 'path-changed');

  /** Resolves when neither end has moved for as long as it takes to notice that a path is dead, and to move on. */
  async function rests(running: Running): Promise<void> {
    for (let known = -1; known !== moves(running).length; ) {
      known = moves(running).length;
      await pause(REST_MS);
    }
  }

  /** The session goes on at both ends after `what` was done to its network. */
  async function goesOnAfter(title: string, running: Running, what: () => void | Promise<void>): Promise<void> {
    const { host, session } = running;
    const from = [session.events.length, host.process.events.length] as const;
    await what();
    const began = performance.now();
    const [near] = await Promise.all([
      session.waitFor('path-changed', { from: from[0], timeoutMs: MOVED_WITHIN_MS }),
      host.process.waitFor('path-changed', { from: from[1], timeoutMs: MOVED_WITHIN_MS }),
    ]);
    console.warn(`${title}: goes on by ${String(near['to'])} after ${Math.round(performance.now() - began)} ms`);
    await rests(running);
  }

  /** The same session from the beginning to an orderly end: nothing was lost, since that would have ended it. */
  async function endsInOrder({ host, session }: Running): Promise<void> {
    session.child.kill('SIGINT');
    const { code, events } = await session.finished();
    expect(code).toBe(0);
    expect(events.findLast(({ event }) => event === 'closed')).toMatchObject({ reason: 'done' });
    await host.process.waitFor('session-closed', { timeoutMs: MOVED_WITHIN_MS });
    expect(host.process.events.filter(({ event }) => event === 'session-opened')).toHaveLength(1);
    expect(host.process.events.find(({ event }) => event === 'session-closed')).toMatchObject({ reason: 'closed by the controller' });
  }

  test('nothing passes for 20 s', async () => {
    const running = await start({ b: 'port-restricted', a: 'port-restricted' });
    running.world.lab.cut('all');
    await pause(20_000);
    await goesOnAfter('dark for 20 s', running, () => running.world.lab.cut([]));
    await endsInOrder(running);
  });

  test('the relay dies and comes back, with both ends behind NATs that let nothing else through', async () => {
    const running = await start({ b: 'symmetric', a: 'symmetric' }, ['--path', 'relay']);
    await goesOnAfter('the relay was started again', running, async () => {
      await running.world.server.stop('SIGKILL');
      await running.world.startServer();
    });
    await endsInOrder(running);
  });

  test("the controller's address changes", async () => {
    const running = await start({ b: 'port-restricted', a: 'open' });
    const near = running.world.lab.host('a');
    const other = near.address.replace(/\d+$/, '77');
    await goesOnAfter('another address', running, () => {
      // Without its first address an interface loses the others of that network, too.
      sh(`ip -n ${near.namespace} addr flush dev eth0; ip -n ${near.namespace} addr add ${other}/24 dev eth0`);
    });
    await endsInOrder(running);
  });

  test('a controller that was killed: what it left at the host ends when it comes back, and by itself within half a minute', async () => {
    const { world, host, session } = await start({ b: 'port-restricted', a: 'port-restricted' });
    const same = ['--hold', '300', '--data', join(world.lab.directory, 'same')];
    session.child.kill('SIGKILL');
    const first = world.startConnect('a', host.id, same);
    await first.waitFor('connected');
    first.child.kill('SIGKILL');
    const again = world.startConnect('a', host.id, same);
    await again.waitFor('connected');
    const closed = (where: WaitOptions['where']): Promise<CliEvent> => host.process.waitFor('session-closed', { timeoutMs: MOVED_WITHIN_MS, ...(where ? { where } : {}) });
    await closed(({ reason }) => reason === 'the same computer has connected anew');
    // The one that nobody came back for, under another name.
    await closed(({ reason }) => reason !== 'the same computer has connected anew');
    again.child.kill('SIGINT');
    expect((await again.finished()).code).toBe(0);
  });

  test("the controller's computer sleeps", async () => {
    const running = await start({ b: 'port-restricted', a: 'port-restricted' });
    const { session } = running;
    session.child.kill('SIGSTOP');
    await pause(SLEEP_S * 1_000);
    session.child.kill('SIGCONT');
    const from = running.host.process.events.length;
    // What it says after that has to come through: the end of the session does.
    await endsInOrder(running);
    expect(running.host.process.events.slice(from).map(({ event }) => event)).toContain('session-closed');
  });
});
