import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, type CliProcess } from '../lib/cli-process.ts';
import { PASSWORD } from '../lib/world.ts';
import { labUnavailable } from '../natlab/index.ts';
import { DNS_ANSWER, programsUnavailable, SERVICE_PORTS, type Services, startServices } from './services.ts';
import { expectPsql, expectSsh } from './exchanges.ts';
import { listeningPorts, TunnelWorld } from './tunnel-world.ts';

const unavailable = labUnavailable() ?? programsUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, programs through tunnels: ${unavailable}`);
else buildCli();

describe.skipIf(unavailable !== null)("Debian's own programs at both ends, peers behind NATs", () => {
  let world: TunnelWorld;
  let services: Services;
  let id = '';
  let host: CliProcess;

  beforeAll(async () => {
    world = await TunnelWorld.create();
    services = await startServices(world.nas, `${world.world.lab.directory}/nas`);
    const { address } = world.nas;
    const started = await world.world.startHost('b', ['--allow', `tcp:${address}:1024-9999`, '--allow', `udp:${address}:${SERVICE_PORTS.dns}`]);
    id = started.id;
    host = started.process;
  }, 60_000);
  afterAll(async () => {
    await world?.destroy();
  });

  describe.each(['auto', 'relay'])('path %s', (path) => {
    let forward: CliProcess;
    let ports: Map<string, number>;
    const port = (name: keyof typeof SERVICE_PORTS): number =>
      ports.get(`${name === 'dns' ? 'udp' : 'tcp'}:${world.nas.address}:${SERVICE_PORTS[name]}`) ?? 0;

    beforeAll(async () => {
      const specs = Object.entries(SERVICE_PORTS).map(([name, remote]) => `${name === 'dns' ? 'udp:' : ''}0:${world.nas.address}:${remote}`);
      forward = world.start('forward', id, ['--path', path, ...specs]);
      ports = await listeningPorts(forward, specs.length);
      const connected = await forward.waitFor('connected');
      expect(connected).toMatchObject({ id, encrypted: true, peerVerified: true });
      if (path === 'relay') expect(connected['path']).toBe('relay');
      // It begins wherever it is there first, and moves.
      else if (connected['path'] === 'relay') await forward.waitFor('path-changed', { where: ({ to }) => to !== 'relay' });
    });
    afterAll(async () => {
      forward.child.kill('SIGTERM');
      expect((await forward.finished(5_000)).code).toBe(0);
    });

    test('curl and nginx', async () => {
      const page = await world.shell(`curl -sS http://127.0.0.1:${port('http')}/`);
      expect(page).toMatchObject({ code: 0, stdout: 'hello\n' });
      const file = await world.shell(`curl -sS http://127.0.0.1:${port('http')}/file | md5sum`);
      expect(file.stdout.slice(0, 32)).toBe(services.fileMd5);
    });

    test('ssh, with what it reads and writes at the same time, and its end', async () => {
      await expectSsh(world, { host: '127.0.0.1', port: port('ssh') }, services.sshKey);
    });

    test('psql and PostgreSQL', async () => {
      await expectPsql(world, { host: '127.0.0.1', port: port('postgres') });
    });

    test('iperf3, both ways and several streams at once', async () => {
      for (const way of [[], ['-R']]) {
        const measure = async (): Promise<{ error?: string; end: { sum_received?: { bytes: number } } }> =>
          JSON.parse((await world.run('iperf3', ['-c', '127.0.0.1', '-p', String(port('iperf')), '-t', '1', '-P', '3', '-J', ...way])).stdout);
        let result = await measure();
        // It serves one measurement at a time, and takes a moment to see the end of the last one.
        while (result.error?.includes('busy')) result = await measure();
        expect(result.error).toBeUndefined();
        expect(result.end.sum_received?.bytes).toBeGreaterThan(1_000_000);
      }
    });

    test('dig and a name server, over UDP', async () => {
      const answers = await world.shell(`for i in 1 2 3; do dig @127.0.0.1 -p ${port('dns')} desk.test +short +tries=3 +time=2; done`);
      expect(answers.stdout.trim().split('\n')).toEqual([DNS_ANSWER, DNS_ANSWER, DNS_ANSWER]);
    });

    test('a WebSocket', async () => {
      const done = await world.run('node', ['-e', WEBSOCKET_CLIENT, `ws://127.0.0.1:${port('websocket')}/`]);
      expect(done, done.stderr).toMatchObject({ code: 0, stdout: 'echoed 100000\n' });
    });
  });

  test('tunnels of a file come up with a host', async () => {
    const file = `${world.world.lab.directory}/tunnels.json`;
    writeFileSync(
      file,
      JSON.stringify({
        passwords: { [id]: PASSWORD },
        tunnels: [{ id: 'web', kind: 'forward', peer: id, listenPort: 0, targetHost: world.nas.address, targetPort: SERVICE_PORTS.http }],
      }),
    );
    const { process } = await world.world.startHost('a', ['--tunnels', file]);
    const { port } = await process.waitFor('listening');
    expect(await world.shell(`curl -sS http://127.0.0.1:${String(port)}/`)).toMatchObject({ stdout: 'hello\n' });
    expect((await process.stop('SIGTERM')).code).toBe(0);
  });

  test('a proxy, as HTTP and as SOCKS5, with a password', async () => {
    const env = { LITEDESK_PROXY_PASSWORD: 'let me in' };
    const open = world.start('proxy', id, ['0']);
    const port = Number((await open.waitFor('listening'))['port']);
    await open.waitFor('connected');
    const url = `http://${world.nas.address}:${SERVICE_PORTS.http}`;
    const curl = async (args: string): Promise<string> => (await world.shell(`curl -sS ${args} 2>&1`)).stdout;
    expect(await curl(`-x http://127.0.0.1:${port} ${url}/ ${url}/`)).toBe('hello\nhello\n');
    expect(await curl(`-x http://127.0.0.1:${port} -p ${url}/`)).toBe('hello\n');
    expect(await curl(`-x socks5h://127.0.0.1:${port} ${url}/`)).toBe('hello\n');
    expect((await curl(`-x socks5h://127.0.0.1:${port} ${url}/file | md5sum`)).slice(0, 32)).toBe(services.fileMd5);
    expect((await curl(`-x http://127.0.0.1:${port} ${url}/file | md5sum`)).slice(0, 32)).toBe(services.fileMd5);
    expect(await curl(`-x http://127.0.0.1:${port} -T /etc/services -w '%{http_code}' ${url}/put`)).toBe('204');
    const upgrade = await world.run('node', ['-e', WEBSOCKET_CLIENT, `ws://${world.nas.address}:${SERVICE_PORTS.websocket}/`, String(port)]);
    expect(upgrade, upgrade.stderr).toMatchObject({ code: 0, stdout: 'echoed 100000\n' });
    open.child.kill('SIGTERM');

    const guarded = world.start('proxy', id, ['0', '--proxy-user', 'guest'], undefined, env);
    const secret = Number((await guarded.waitFor('listening'))['port']);
    await guarded.waitFor('connected');
    for (const scheme of ['http', 'socks5h']) {
      expect(await curl(`-x ${scheme}://guest:let%20me%20in@127.0.0.1:${secret} ${url}/`)).toBe('hello\n');
      expect(await curl(`-x ${scheme}://guest:wrong@127.0.0.1:${secret} -o /dev/null -w '%{http_code}' ${url}/`)).not.toMatch(/200/);
      expect(await curl(`-x ${scheme}://127.0.0.1:${secret} -o /dev/null -w '%{http_code}' ${url}/`)).not.toMatch(/200/);
    }
    guarded.child.kill('SIGTERM');
    await guarded.finished(5_000);
    expect(host.events.filter((event) => event.event === 'stream' && event['allowed'] === false)).toEqual([]);
  });
});

/** argv: the address, and the port of a proxy that takes upgrades. */
const WEBSOCKET_CLIENT = `
const WebSocket = require('ws');
const http = require('http');
const [url, proxy] = process.argv.slice(1);
const target = new URL(url);
const through = proxy && { createConnection: (o) => require('net').connect(proxy, '127.0.0.1'), finishRequest: (request) => {
  request.path = 'http://' + target.host + target.pathname; request.end(); } };
const socket = new WebSocket(url, through || {});
let bytes = 0;
socket.on('open', () => { for (let i = 0; i < 100; i++) socket.send('x'.repeat(1000)); });
socket.on('message', (data) => { bytes += data.length; if (bytes === 100000) socket.close(); });
socket.on('close', () => console.log('echoed ' + bytes));
`;
