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
/** Takes everything and says nothing; resets after the first byte; and a computer that is not there, so that dialling it takes a while. */
const DEAF_PORT = 8082;
const RESET_PORT = 8083;
const NOBODY = '192.168.1.250';

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
    world.nas.spawn(process.execPath, ['-e', ODD_SERVICES, String(DEAF_PORT), String(RESET_PORT)]);
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
    host = await world.world.startHost('b', ['--allow', 'tcp:192.168.1.0/24:1-65535']);
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

  test('resets in every state reach the other end, and leave nothing behind', async () => {
    forward = world.start('forward', host.id, [WEB_PORT, DEAF_PORT, RESET_PORT].map((port) => `0:${world.nas.address}:${port}`).concat(`0:${NOBODY}:80`));
    const ports = await listeningPorts(forward, 4);
    await forward.waitFor('connected');
    const near = [WEB_PORT, DEAF_PORT, RESET_PORT].map((port) => String(ports.get(place(port)))).concat(String(ports.get(`tcp:${NOBODY}:80`)));
    const files = async (): Promise<number[]> => {
      const { stdout } = await world.shell([forward, host.process].map((each) => `ls /proc/${each?.child.pid}/fd | wc -l`).join('; '));
      return stdout.trim().split('\n').map(Number);
    };
    expect(await world.shell(`curl -sS http://127.0.0.1:${near[0]}/`)).toMatchObject({ stdout: 'hello\n' });
    const before = await files();
    const done = await world.run('node', ['-e', RESETTING_CLIENT, ...near], { timeoutMs: 60_000 });
    expect(done.stdout, done.stderr).toBe('ECONNRESET\n');
    // A dial that nobody answers ends within 10 s, or with the reset of who asked for it.
    await expect.poll(async () => Math.max(...(await files()).map((count, at) => count - (before[at] ?? 0))), { timeout: 15_000 }).toBeLessThan(5);
    expect(await world.shell(`curl -sS http://127.0.0.1:${near[0]}/`)).toMatchObject({ stdout: 'hello\n' });
  }, 90_000);

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

const ODD_SERVICES = `
const { createServer } = require('net');
const [deaf, reset] = process.argv.slice(1).map(Number);
createServer((s) => s.pause().on('error', () => {})).listen(deaf);
createServer((s) => s.on('error', () => {}).once('data', () => s.resetAndDestroy())).listen(reset);
`;

/** argv: the ports of a web server, of somebody who does not read, of somebody who resets, of nobody. Says how the third ended. */
const RESETTING_CLIENT = `
const { connect } = require('net');
const [web, deaf, reset, nobody] = process.argv.slice(1).map(Number);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const client = (port, act) => new Promise((resolve) => {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }, () => act(socket, () => socket.resetAndDestroy()));
  let code = 'ended';
  socket.on('error', (error) => (code = error.code)).on('end', () => (code = 'ended')).on('close', () => resolve(code));
});
const many = (port, act) => Promise.all(Array.from({ length: 20 }, () => client(port, act)));
(async () => {
  await many(web, (_, end) => end());
  await many(nobody, async (socket, end) => { socket.write('early'); await pause(100); end(); });
  await many(web, (socket, end) => { socket.write('GET /file HTTP/1.0\\r\\n\\r\\n'); socket.once('data', end); });
  await many(web, (socket, end) => { socket.end('GET /file HTTP/1.0\\r\\n\\r\\n'); socket.once('data', end); });
  await many(deaf, async (socket, end) => { socket.write(Buffer.alloc(1e6)); await pause(200); end(); });
  await many(deaf, async (socket, end) => { socket.end('half'); await pause(200); end(); });
  const codes = new Set(await many(reset, (socket) => { socket.write('x'); socket.resume(); }));
  console.log([...codes].join());
})();
`;
