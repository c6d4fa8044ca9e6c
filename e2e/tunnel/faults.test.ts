import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, type CliProcess } from '../lib/cli-process.ts';
import { type FinishedCommand, labUnavailable } from '../natlab/index.ts';
import { nginxUnavailable, startNginx } from '../lib/nginx.ts';
import { sh } from '../natlab/shell.ts';
import { listeningPorts, TunnelWorld } from './tunnel-world.ts';

const unavailable = labUnavailable() ?? nginxUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, faults of tunnels: ${unavailable}`);
else buildCli();

const WEB_PORT = 8080;
const DEAD_PORT = 8081;

describe.skipIf(unavailable !== null)('tunnels when something breaks', () => {
  let world: TunnelWorld;
  let fileMd5 = '';
  let host: { id: string; process: CliProcess };
  let forward: CliProcess | undefined;
  const place = (port: number): string => `tcp:${world.nas.address}:${port}`;

  beforeAll(async () => {
    world = await TunnelWorld.create();
    const www = `${world.world.lab.directory}/www`;
    sh(`mkdir -p ${www}; head -c 6000000 /dev/urandom > ${www}/file; echo hello > ${www}/index.html`);
    fileMd5 = sh(`md5sum < ${www}/file`).slice(0, 32);
    await startNginx({
      directory: `${world.world.lab.directory}/nginx`,
      host: world.nas,
      port: WEB_PORT,
      // Slowly, so that something can happen meanwhile; the longer one lasts until somebody ends it.
      http: `server { listen ${WEB_PORT}; root ${www}; location /file { limit_rate 2m; } location /long { alias ${www}/file; limit_rate 100k; } }`,
    });
    await startHost();
  }, 60_000);
  afterEach(async () => {
    await forward?.stop('SIGTERM');
    forward = undefined;
  });
  afterAll(async () => {
    await world?.destroy();
  });

  async function startHost(): Promise<void> {
    host = await world.world.startHost('b', ['--allow', `tcp:${world.nas.address}:1-65535`]);
  }
  async function start(args: readonly string[] = []): Promise<number> {
    forward = world.start('forward', host.id, [...args, `0:${world.nas.address}:${WEB_PORT}`, `0:${world.nas.address}:${DEAD_PORT}`]);
    const ports = await listeningPorts(forward, 2);
    await forward.waitFor('connected');
    deadPort = ports.get(place(DEAD_PORT)) ?? 0;
    return ports.get(place(WEB_PORT)) ?? 0;
  }
  let deadPort = 0;
  const cable = (state: 'down' | 'up'): void => void sh(`ip -n ${world.near.namespace} link set eth0 ${state}${state === 'up' ? `; ip -n ${world.near.namespace} route add default via ${world.near.address.replace(/\.\d+$/, '.1')} 2>/dev/null || true` : ''}`);

  /** A download that has begun, so that something can happen to it. */
  async function download(port: number, path: '/file' | '/long'): Promise<{ readonly done: Promise<FinishedCommand>; md5(): string }> {
    const file = join(world.world.lab.directory, `download-${++downloads}`);
    const done = world.run('curl', ['-sS', '-o', file, `http://127.0.0.1:${port}${path}`], { timeoutMs: 120_000 });
    await expect.poll(() => existsSync(file) && statSync(file).size > 0).toBe(true);
    return { done, md5: () => sh(`md5sum < ${file}`).slice(0, 32) };
  }
  let downloads = 0;

  test.each(['auto', 'relay'])('the cable is pulled and put back in during a download, path %s: every byte arrives', async (path) => {
    const port = await start(['--path', path]);
    const { done, md5 } = await download(port, '/file');
    cable('down');
    await pause(1_500);
    cable('up');
    expect(await done, JSON.stringify(forward?.events)).toMatchObject({ code: 0, stderr: '' });
    expect(md5()).toBe(fileMd5);
  });

  test('the other peer is killed: open connections are reset, not cut short; new ones wait for its return', async () => {
    const port = await start();
    const { done } = await download(port, '/long');
    await host.process.stop('SIGKILL');
    await forward?.waitFor('reconnecting');
    const waiting = world.shell(`curl -sS --max-time 60 http://127.0.0.1:${port}/`);
    await startHost();
    // 56: the connection was reset. 18, a file that ends early, would be a silent cut.
    expect(await done).toMatchObject({ code: 56 });
    expect(await waiting).toMatchObject({ code: 0, stdout: 'hello\n' });
    expect(forward?.events.filter(({ event }) => event === 'connected').length).toBeGreaterThanOrEqual(2);
  }, 120_000);

  test('a service that is not there: a reset at once, and a reason', async () => {
    await start();
    const done = await world.shell(`curl -sS http://127.0.0.1:${deadPort}/; echo $?`);
    expect(done.stdout.trim()).toBe('56');
    expect(await forward?.waitFor('failure')).toMatchObject({ code: 'TUNNEL_TARGET_REFUSED' });
    expect(await host.process.waitFor('stream', { where: (event) => event['code'] === 'refused' })).toMatchObject({ allowed: true });
  });

  test('clients that connect and say nothing, and others that break off, are in nobody else’s way', async () => {
    const port = await start();
    const silent = world.shell(`for i in $(seq 60); do exec {fd}<>/dev/tcp/127.0.0.1/${port}; done; sleep 2`);
    const rude = world.shell(`for i in $(seq 20); do curl -sS --max-time 0.05 http://127.0.0.1:${port}/file >/dev/null 2>&1; done`);
    for (let round = 0; round < 5; round++)
      expect(await world.shell(`curl -sS --max-time 10 http://127.0.0.1:${port}/`)).toMatchObject({ stdout: 'hello\n' });
    await Promise.all([silent, rude]);
  });

  test('the server is killed and comes back: a direct tunnel does not notice', async () => {
    const port = await start();
    // It begins wherever it is there first, and moves.
    if ((await forward?.waitFor('connected'))?.['path'] === 'relay') await forward?.waitFor('path-changed', { where: ({ to }) => to !== 'relay' });
    const { done, md5 } = await download(port, '/file');
    await world.world.server.stop('SIGKILL');
    await world.world.startServer();
    expect(await done).toMatchObject({ code: 0, stderr: '' });
    expect(md5()).toBe(fileMd5);
    expect(await world.shell(`curl -sS http://127.0.0.1:${port}/`)).toMatchObject({ stdout: 'hello\n' });
  }, 60_000);
});
