/** Tunnels with stock peers in both roles: their ends are written from the specification (e2e/stock/tunnel.mjs). */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, type CliProcess } from '../lib/cli-process.ts';
import { PASSWORD } from '../lib/world.ts';
import { labUnavailable } from '../natlab/index.ts';
import { StockClient } from '../stock/stock-client.ts';
import { expectSsh } from './exchanges.ts';
import { programsUnavailable, SERVICE_PORTS, type Services, startServices } from './services.ts';
import { listeningPorts, TunnelWorld } from './tunnel-world.ts';

const unavailable = labUnavailable() ?? programsUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, tunnels with stock peers: ${unavailable}`);
else buildCli();

const STOCK_ID = '123456789';
/** Connections at once: a browser with a few tabs. */
const MANY = 40;

describe.skipIf(unavailable !== null)('tunnels with stock peers, behind NATs', () => {
  let world: TunnelWorld;
  let services: Services;
  let host: StockClient;

  beforeAll(async () => {
    world = await TunnelWorld.create();
    services = await startServices(world.nas, `${world.world.lab.directory}/nas`);
    host = stock('b', { role: 'controlled', id: STOCK_ID, tunnel: { password: PASSWORD } });
    await host.waitFor('registered');
  }, 60_000);
  afterAll(async () => {
    await world?.destroy();
  });

  const stock = (host: 'a' | 'b', options: Record<string, unknown>): StockClient =>
    new StockClient(world.world.lab.host(host), { key: world.world.key, server: world.world.serverAddress, ...options });

  /** What has to come through, whoever has which role. */
  async function expectPrograms(http: number, ssh: number): Promise<void> {
    expect(await world.shell(`curl -sS http://127.0.0.1:${http}/`)).toMatchObject({ code: 0, stdout: 'hello\n' });
    const file = await world.shell(`curl -sS http://127.0.0.1:${http}/file | md5sum`);
    expect(file.stdout.slice(0, 32), file.stderr).toBe(services.fileMd5);
    await expectSsh(world, { host: '127.0.0.1', port: ssh }, services.sshKey);
    const many = await world.shell(`seq ${MANY} | xargs -P ${MANY} -I{} curl -sS --max-time 60 http://127.0.0.1:${http}/`);
    expect(many.stdout, many.stderr).toBe('hello\n'.repeat(MANY));
  }

  describe.each(['auto', 'relay'])('LiteDesk reaches through a stock host, path %s', (path) => {
    let forward: CliProcess;
    let ports: Map<string, number>;
    const place = (port: number): string => `${world.nas.address}:${port}`;

    beforeAll(async () => {
      const places = [SERVICE_PORTS.http, SERVICE_PORTS.ssh, 1].map(place);
      forward = world.start('forward', STOCK_ID, ['--path', path, ...places.map((each) => `0:${each}`), `udp:0:${place(SERVICE_PORTS.dns)}`]);
      ports = await listeningPorts(forward, 4);
    });

    test('curl, ssh, and many at once', async () => {
      await expectPrograms(ports.get(`tcp:${place(SERVICE_PORTS.http)}`) ?? 0, ports.get(`tcp:${place(SERVICE_PORTS.ssh)}`) ?? 0);
      // A client that has said everything: the host takes that end for the end of all, so it must not come before the answer.
      const halfClosed = await world.run('node', ['-e', HALF_CLOSING_CLIENT, String(ports.get(`tcp:${place(SERVICE_PORTS.http)}`))]);
      expect(halfClosed.stdout, halfClosed.stderr).toMatch(/200 OK[^]*hello\n$/);
      const connected = forward.events.filter(({ event }) => event === 'connected');
      for (const event of connected) expect(event).toMatchObject({ id: STOCK_ID, encrypted: false, stock: true, loginEncrypted: true, peerVerified: true });
      for (const login of host.events.filter(({ event }) => event === 'login')) expect(login).toMatchObject({ encrypted: true });
    });

    test('what a stock host refuses or cannot do is said', async () => {
      const refused = await world.shell(`curl -sS http://127.0.0.1:${ports.get(`tcp:${place(1)}`)}/; echo $?`);
      expect(refused.stdout.trim()).toBe('56');
      expect(await forward.waitFor('failure')).toMatchObject({ message: expect.stringContaining(`Failed to access remote ${place(1)}`) });
      await world.shell(`dig @127.0.0.1 -p ${ports.get(`udp:${place(SERVICE_PORTS.dns)}`)} desk.test +short +tries=1 +time=1`);
      expect(await forward.waitFor('failure', { where: ({ code }) => code === 'TUNNEL_NEEDS_LITEDESK' })).toBeTruthy();
      expect((await forward.stop()).code).toBe(0);
    });
  });

  test('with a wrong password a stock host lets nobody in, and is not asked again and again', async () => {
    const before = host.events.length;
    const forward = world.start('forward', STOCK_ID, [`0:${world.nas.address}:${SERVICE_PORTS.http}`], 'wrong');
    const { port } = await forward.waitFor('listening');
    for (let i = 0; i < 2; i++) await world.shell(`curl -sS http://127.0.0.1:${String(port)}/`);
    expect(await forward.waitFor('error')).toMatchObject({ code: 'LOGIN_WRONG_PASSWORD' });
    expect((await forward.finished()).code).toBe(1);
    expect(host.events.slice(before).filter(({ event, target }) => event === 'login' && target !== null)).toHaveLength(1);
  });

  describe.each(['direct', 'relay'])('a stock controller reaches through LiteDesk, %s', (way) => {
    test('curl, ssh, and many at once, where a rule allows it; else it is told so, and a line tells of it', async () => {
      const { address } = world.nas;
      const host = await world.world.startHost('b', ['--allow', `tcp:${address}:${SERVICE_PORTS.http}`, '--allow', `tcp:${address}:${SERVICE_PORTS.ssh}`]);
      const listen = async (port: number): Promise<{ client: StockClient; port: number }> => {
        const target = { host: address, port };
        const client = stock('a', { role: 'controller', id: host.id, forceRelay: way === 'relay', tunnel: { password: PASSWORD, target } });
        return { client, port: Number((await client.waitFor('listening'))['port']) };
      };
      const [http, ssh, closed] = await Promise.all([SERVICE_PORTS.http, SERVICE_PORTS.ssh, SERVICE_PORTS.postgres].map(listen));
      await expectPrograms(http?.port ?? 0, ssh?.port ?? 0);
      const paths = new Set(http?.client.events.filter(({ event }) => event === 'tunnel').map(({ path }) => path));
      expect([...paths]).toEqual([way === 'relay' ? 'relay' : 'tcp']);
      await world.shell(`curl -sS http://127.0.0.1:${closed?.port}/`);
      expect(await closed?.client.waitFor('refused')).toMatchObject({ error: 'No permission of IP tunneling' });
      expect(await host.process.waitFor('stream', { where: ({ allowed }) => allowed === false })).toMatchObject({
        ...{ target: `tcp:${address}:${SERVICE_PORTS.postgres}`, code: 'refused-by-rule', proven: false },
      });
      expect((await host.process.stop()).code).toBe(0);
    });
  });
});

const HALF_CLOSING_CLIENT = `
const socket = require('net').connect({ port: Number(process.argv[1]), host: '127.0.0.1', allowHalfOpen: true });
socket.end('GET / HTTP/1.0\\r\\n\\r\\n');
socket.pipe(process.stdout);
`;
