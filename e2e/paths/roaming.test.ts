import { afterEach, describe, expect, test } from 'vitest';
import { buildCli } from '../lib/cli-process.ts';
import type { CliProcess } from '../lib/cli-process.ts';
import { World } from '../lib/world.ts';
import { labUnavailable } from '../natlab/index.ts';
import type { HostPlace } from '../natlab/index.ts';
import { sh } from '../natlab/shell.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, sessions that outlive their network: ${unavailable}`);
else buildCli();

/** Seconds that the controller's computer sleeps; LITEDESK_SLEEP_S=40 is longer than any silence that ends a stock session. */
const SLEEP_S = Number(process.env['LITEDESK_SLEEP_S'] ?? 8);

describe.skipIf(unavailable !== null)('a session outlives its network', () => {
  let world: World | undefined;
  afterEach(async () => {
    await world?.lab.destroy();
    world = undefined;
  });

  interface Running {
    readonly host: { id: string; process: CliProcess };
    readonly session: CliProcess;
  }

  async function start(places: Record<'a' | 'b', HostPlace>, args: readonly string[] = []): Promise<Running> {
    world = await World.create(places);
    const host = await world.startHost('b');
    const session = world.startConnect('a', host.id, ['--hold', '120', ...args]);
    await session.waitFor('connected');
    await host.process.waitFor('session-opened');
    return { host, session };
  }

  /** The session goes on at both ends after `since`; how long that took from now on, in ms. */
  async function goesOn({ host, session }: Running, what: string): Promise<void> {
    const from = [session.events.length, host.process.events.length] as const;
    const began = performance.now();
    const [near] = await Promise.all([
      session.waitFor('path-changed', { from: from[0] }),
      host.process.waitFor('path-changed', { from: from[1] }),
    ]);
    console.warn(`${what}: goes on by ${String(near['to'])} after ${Math.round(performance.now() - began)} ms`);
  }

  /** The same session from the beginning to an orderly end: nothing was lost, since that would have ended it. */
  async function endsInOrder({ host, session }: Running): Promise<void> {
    session.child.kill('SIGINT');
    const { code, events } = await session.finished();
    expect(code).toBe(0);
    expect(events.findLast(({ event }) => event === 'closed')).toMatchObject({ reason: 'done' });
    await host.process.waitFor('session-closed');
    expect(host.process.events.filter(({ event }) => event === 'session-opened')).toHaveLength(1);
    expect(host.process.events.find(({ event }) => event === 'session-closed')).toMatchObject({ reason: 'closed by the controller' });
  }

  test('nothing passes for 20 s', async () => {
    const running = await start({ b: 'port-restricted', a: 'port-restricted' });
    world?.lab.cut('all');
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    world?.lab.cut([]);
    await goesOn(running, 'dark for 20 s');
    await endsInOrder(running);
  });

  test('the relay dies and comes back, with both ends behind NATs that let nothing else through', async () => {
    const running = await start({ b: 'symmetric', a: 'symmetric' }, ['--path', 'relay']);
    await world?.server.stop('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    await world?.startServer();
    await goesOn(running, 'the relay was started again');
    await endsInOrder(running);
  });

  test("the controller's address changes", async () => {
    const running = await start({ b: 'port-restricted', a: 'open' });
    const near = world?.lab.host('a');
    if (!near) throw new Error('no lab');
    const other = near.address.replace(/\d+$/, '77');
    sh(`ip -n ${near.namespace} addr add ${other}/24 dev eth0; ip -n ${near.namespace} addr del ${near.address}/24 dev eth0`);
    sh(`ip -n ${near.namespace} addr show eth0 | grep -q ${other} || ip -n ${near.namespace} addr add ${other}/24 dev eth0`);
    await goesOn(running, 'another address');
    await endsInOrder(running);
  });

  test("the controller's computer sleeps", async () => {
    const running = await start({ b: 'port-restricted', a: 'port-restricted' });
    const { session } = running;
    session.child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, SLEEP_S * 1_000));
    session.child.kill('SIGCONT');
    const from = running.host.process.events.length;
    // What it says after that has to come through: the end of the session does.
    await endsInOrder(running);
    expect(running.host.process.events.slice(from).map(({ event }) => event)).toContain('session-closed');
  });
});
