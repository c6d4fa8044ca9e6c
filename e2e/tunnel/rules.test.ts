import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, type CliProcess } from '../lib/cli-process.ts';
import { labUnavailable } from '../natlab/index.ts';
import { nginxUnavailable, startNginx } from '../lib/nginx.ts';
import { TunnelWorld } from './tunnel-world.ts';

const unavailable = labUnavailable() ?? nginxUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, rules of tunnels: ${unavailable}`);
else buildCli();

const PORT = 8080;

describe.skipIf(unavailable !== null)('what a peer may not reach, it does not reach', () => {
  let world: TunnelWorld;

  beforeAll(async () => {
    world = await TunnelWorld.create();
    for (const name of ['b', 'nas'] as const)
      await startNginx({
        directory: `${world.world.lab.directory}/nginx-${name}`,
        host: world.world.lab.host(name),
        port: PORT,
        http: `server { listen ${PORT}; listen [::]:${PORT}; return 200 "${name}\\n"; }`,
      });
  }, 60_000);
  afterAll(async () => {
    await world?.destroy();
  });

  async function proxyTo(args: readonly string[]): Promise<{ host: CliProcess; get: (url: string, scheme?: string) => Promise<string>; end: () => Promise<void> }> {
    const host = await world.world.startHost('b', args);
    const proxy = world.start('proxy', host.id, ['0']);
    const port = Number((await proxy.waitFor('listening'))['port']);
    await proxy.waitFor('connected');
    return {
      host: host.process,
      get: async (url, scheme = 'http') =>
        (await world.shell(`curl -sS -g --max-time 20 -x ${scheme}://127.0.0.1:${port} -w '%{http_code}' '${url}' 2>/dev/null`)).stdout.replaceAll('\n', ' '),
      end: async () => {
        await proxy.stop('SIGTERM');
        await host.process.stop('SIGTERM');
      },
    };
  }

  test('without a rule, nothing', async () => {
    const { get, host, end } = await proxyTo([]);
    for (const place of [world.nas.address, '127.0.0.1', 'localhost', '[::1]'])
      expect(await get(`http://${place}:${PORT}/`), place).toMatch(/403$/);
    expect(await get(`http://${world.nas.address}:${PORT}/`, 'socks5h')).toMatch(/000$/);
    const lines = host.events.filter(({ event }) => event === 'stream');
    expect(lines.length).toBeGreaterThanOrEqual(5);
    for (const line of lines) expect(line).toMatchObject({ allowed: false, code: 'refused-by-rule', proven: true });
    await end();
  });

  test('with every ordinary place allowed, this computer and the metadata of clouds are still not', async () => {
    const { get, end } = await proxyTo(['--allow', 'any']);
    expect(await get(`http://${world.nas.address}:${PORT}/`)).toBe('nas 200');
    const tricks = [
      ...['127.0.0.1', '127.1', '127.9.9.9', '0.0.0.0', '0', 'localhost', 'LOCALHOST.', '2130706433', '0x7f000001', '0177.0.0.1', '017700000001'],
      ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:ffff:7f00:0001]', '[64:ff9b::7f00:1]', '[fe80::1]'],
      ...['169.254.169.254', '[::ffff:169.254.169.254]', '2852039166', '[fd00:ec2::254]'],
    ];
    for (const place of tricks) {
      // SOCKS hands it on as it is; the HTTP side reads it as a URL first.
      expect(await get(`http://${place}:${PORT}/`, 'socks5h'), place).not.toMatch(/^b|200$/);
      if (/^[0[]/.test(place)) expect(await get(`http://${place}:${PORT}/`), place).not.toMatch(/^b|200$/);
    }
    await end();
  }, 90_000);

  test('a rule that names this computer opens that port and no other', async () => {
    const { get, end } = await proxyTo(['--allow', `tcp:127.0.0.1:${PORT}`]);
    expect(await get(`http://127.0.0.1:${PORT}/`)).toBe('b 200');
    expect(await get(`http://[::ffff:127.0.0.1]:${PORT}/`)).toBe('b 200');
    expect(await get(`http://127.0.0.1:${PORT + 1}/`)).toMatch(/403$/);
    expect(await get(`http://${world.nas.address}:${PORT}/`)).toMatch(/403$/);
    await end();
  });

  test('a rule for another peer is none', async () => {
    const { get, end } = await proxyTo(['--allow', `tcp:${world.nas.address}:${PORT}@999999999`]);
    expect(await get(`http://${world.nas.address}:${PORT}/`)).toMatch(/403$/);
    await end();
  });

  test('mistakes on the command line are refused in words', async () => {
    for (const [args, words] of [
      [['host', '--allow', 'tcp:nowhere'], /is no rule/],
      [['host', '--tunnels', '/nonexistent'], /--tunnels/],
      [['forward', '123', '80'], /PORT:HOST:PORT/],
      [['forward', '123', '0:host:99999'], /targetPort/],
      [['proxy', '123', 'x'], /PORT/],
    ] as const) {
      const done = await world.run('node', ['out/cli/litedesk.js', ...args]);
      expect([done.code, done.stderr], args.join(' ')).toEqual([2, expect.stringMatching(words)]);
    }
  });
});
