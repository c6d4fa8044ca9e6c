import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FIRST_CERTIFICATE, SECOND_CERTIFICATE, writeCertificate } from '../../src/server/one-port/test-certificates.ts';
import { buildCli, CliProcess } from '../lib/cli-process.ts';
import { startNginx } from '../lib/nginx.ts';
import { PASSWORD } from '../lib/world.ts';
import { labUnavailable } from '../natlab/index.ts';
import { DNS_ANSWER, listening, programsUnavailable, SERVICE_PORTS, type Services, startServices } from './services.ts';
import { expectPsql, expectSsh } from './exchanges.ts';
import { listeningPorts, TunnelWorld } from './tunnel-world.ts';

const unavailable = labUnavailable() ?? programsUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, published services: ${unavailable}`);
else buildCli();

const SITE = 'www.home.test';
const CLOUD = 'cloud.home.test';
const TLS_PORT = 8443;
const PORTS = { ssh: 30_022, postgres: 30_032, dns: 30_053 };

describe.skipIf(unavailable !== null)('services behind a NAT on the public side of the server', () => {
  let world: TunnelWorld;
  let services: Services;
  let serial = 0;

  beforeAll(async () => {
    // A visitor stands in the open, so that the server sees his own address.
    world = await TunnelWorld.create('port-restricted', serverArgs);
    services = await startServices(world.nas, `${world.world.lab.directory}/nas`);
    const tls = writeCertificate(world.world.lab.directory, SECOND_CERTIFICATE, 'nas');
    await startNginx({
      directory: `${world.world.lab.directory}/nginx-tls`,
      host: world.nas,
      port: TLS_PORT,
      http: `server { listen ${TLS_PORT} ssl; ssl_certificate ${tls.certFile}; ssl_certificate_key ${tls.keyFile}; return 200 "from home\\n"; }`,
    });
  }, 60_000);
  afterAll(async () => {
    await world?.destroy();
  });

  function serverArgs(directory: string): string[] {
    const { certFile, keyFile } = writeCertificate(directory, FIRST_CERTIFICATE, 'server');
    const web = ['--http-port', '80', '--https-port', '443', '--tls-cert', certFile, '--tls-key', keyFile];
    return [...web, '--publish-ports', '30000-30099', '--publish-domain', 'home.test', '--single-port', '8444'];
  }

  /** `litedesk publish` on the host behind the NAT. */
  function publish(args: readonly string[], data = `publish-${++serial}`, server = world.world.serverArgs): CliProcess {
    return new CliProcess(world.world.lab.host('b'), ['publish', '--data', join(world.world.lab.directory, data), ...server, ...args]);
  }

  const at = (port: number): string => `${world.nas.address}:${port}`;
  const curl = (args: string): Promise<string> => {
    const server = world.world.serverAddress;
    const names = [SITE, CLOUD, 'guarded.home.test', 'chat.home.test'].flatMap((name) => [80, 443].map((port) => `--resolve ${name}:${port}:${server}`));
    return world.shell(`curl -sS --max-time 20 ${names.join(' ')} ${args} 2>&1`).then(({ stdout }) => stdout);
  };

  test('ssh, psql and dig by port', async () => {
    const publisher = publish([
      `tcp:${at(SERVICE_PORTS.ssh)}@${PORTS.ssh}`,
      `tcp:${at(SERVICE_PORTS.postgres)}@${PORTS.postgres}`,
      `udp:${at(SERVICE_PORTS.dns)}@${PORTS.dns}`,
      `any=tcp:${at(SERVICE_PORTS.http)}`,
    ]);
    const any = await publisher.waitFor('published', { where: ({ name }) => name === 'any' });
    const server = world.world.serverAddress;
    expect(any).toMatchObject({ kind: 'tcp', address: server, url: `tcp://${server}:${any['port']}` });
    expect(await curl(`http://${server}:${any['port']}/file | md5sum`)).toContain(services.fileMd5);
    await expectSsh(world, { host: server, port: PORTS.ssh }, services.sshKey);
    await expectPsql(world, { host: server, port: PORTS.postgres });
    const answers = await world.shell(`for i in 1 2 3; do dig @${server} -p ${PORTS.dns} desk.test +short +tries=3 +time=2; done`);
    expect(answers.stdout.trim().split('\n')).toEqual([DNS_ANSWER, DNS_ANSWER, DNS_ANSWER]);
    // Killed without a word: its ports are free again, for itself.
    publisher.child.kill('SIGKILL');
    await expect.poll(() => curl(`http://${server}:${any['port']}/`)).toContain('curl: (7)');
    const again = publish([`tcp:${at(SERVICE_PORTS.ssh)}@${PORTS.ssh}`], `publish-${serial}`);
    await again.waitFor('published');
    const other = publish([`tcp:${at(SERVICE_PORTS.ssh)}@${PORTS.ssh}`], 'publish-other');
    expect(await other.waitFor('unpublished')).toMatchObject({ reason: 'port-taken' });
    for (const process of [again, other]) expect((await process.stop()).code).toBe(0);
  });

  test('nginx by name: TLS ended at the server or at home, WebSockets, a password, a list of networks', async () => {
    const publisher = publish([
      `site=http:${at(SERVICE_PORTS.http)}@${SITE}`,
      `https:${at(TLS_PORT)}@${CLOUD}`,
      `chat=http:${at(SERVICE_PORTS.websocket)}`,
    ]);
    expect(await publisher.waitFor('published', { where: ({ name }) => name === 'chat' })).toMatchObject({ url: 'https://chat.home.test/' });
    await publisher.waitFor('published', { where: ({ kind }) => kind === 'https' });
    expect(await curl(`http://${SITE}/ https://${SITE}/ -k`)).toBe('hello\nhello\n');
    expect(await curl(`-k https://${SITE}/file | md5sum`)).toContain(services.fileMd5);
    expect(await curl(`-T /etc/services -w '%{http_code}' http://${SITE}/put`)).toBe('204');
    expect(await curl(`-k https://${CLOUD}/`)).toBe('from home\n');
    const nas = join(world.world.lab.directory, 'nas.crt');
    // Up to the computer at home: its certificate, not the server's.
    expect(await curl(`--cacert ${nas} https://${CLOUD}/ | tail -1`)).not.toContain('self-signed');
    expect(await curl(`-o /dev/null -w '%{http_code}' -H 'Host: nobody.home.test' http://${world.world.serverAddress}/`)).toBe('404');
    expect(await curl(`-H 'Content-Length: 5' -H 'Transfer-Encoding: chunked' -d hello -o /dev/null -w '%{http_code}' http://${SITE}/`)).toBe('400');
    const socket = await world.run('node', ['-e', WEBSOCKET_CLIENT, `ws://${world.world.serverAddress}/`, 'chat.home.test']);
    expect(socket, socket.stderr).toMatchObject({ code: 0, stdout: 'echoed 100000\n' });
    const guarded = publish([`http:${at(SERVICE_PORTS.http)}@guarded.home.test`, '--basic-auth', `anna:${PASSWORD}`, '--allow', '0.0.0.0/0'], 'guarded');
    await guarded.waitFor('published');
    expect(await curl(`-o /dev/null -w '%{http_code}' http://guarded.home.test/`)).toBe('401');
    expect(await curl(`-u 'anna:${PASSWORD}' http://guarded.home.test/`)).toBe('hello\n');
    const closed = publish([`tcp:${at(SERVICE_PORTS.http)}`, '--allow', '192.0.2.0/24'], 'closed');
    const port = (await closed.waitFor('published'))['port'];
    expect(await curl(`http://${world.world.serverAddress}:${port}/`)).toMatch(/curl: \((7|52|56)\)/);
    for (const process of [publisher, guarded, closed]) expect((await process.stop()).code).toBe(0);
  });

  test('a program that dies is passed by, and the server may be restarted, also on its single port', async () => {
    const [first, second] = [8101, 8102].map((port) => startPage(port));
    await listening(world.nas, [8101, 8102]);
    const { key } = world.world;
    const single = ['--server', `tls://${world.world.serverAddress}:8444`, '--key', key];
    const args = [`pages=http:${at(8101)},${at(8102)}@${SITE}`, '--health', '/', '--health-interval', '0.2'];
    const publisher = publish(args, 'pages', single);
    await publisher.waitFor('published');
    const pages = async (): Promise<string> => (await curl(`http://${SITE}/ http://${SITE}/ http://${SITE}/ http://${SITE}/`)).split('').toSorted().join('');
    await expect.poll(pages).toBe('1122');
    first?.kill('SIGKILL');
    await expect.poll(pages).toBe('2222');
    second?.kill('SIGKILL');
    await publisher.waitFor('health', { where: ({ healthy }) => healthy === false });
    await expect.poll(() => curl(`-o /dev/null -w '%{http_code}' http://${SITE}/`)).toBe('503');
    startPage(8101);
    await publisher.waitFor('health', { where: ({ healthy }) => healthy === true });
    await expect.poll(pages).toBe('1111');
    await world.world.server.stop();
    const before = publisher.events.length;
    await world.world.startServer(serverArgs(world.world.lab.directory));
    await publisher.waitFor('published', { from: before });
    await expect.poll(pages).toBe('1111');
    expect(publisher.events.slice(before - 2).map(({ event }) => event)).toContain('unpublished');
    await publisher.stop();
  });

  test('a file says what a host publishes, and what it offers to others by name', async () => {
    const file = join(world.world.lab.directory, 'tunnels.json');
    const publish = [{ service: `site=http:${at(SERVICE_PORTS.http)}@file.home.test` }, { service: `web=tcp:${at(SERVICE_PORTS.http)}`, to: 'peers' }];
    writeFileSync(file, JSON.stringify({ publish }));
    const rules = ['--allow', 'service:web', '--allow', 'service:names', '--offer', `names=udp:${at(SERVICE_PORTS.dns)}`, '--offer', `closed=tcp:${at(SERVICE_PORTS.ssh)}`];
    const host = await world.world.startHost('b', ['--tunnels', file, ...rules]);
    expect(await host.process.waitFor('published')).toMatchObject({ name: 'site', url: 'https://file.home.test/' });
    const forward = world.start('forward', host.id, ['0:web', 'udp:0:names', '0:closed', '0:missing']);
    const ports = await listeningPorts(forward, 4);
    expect(await curl(`http://127.0.0.1:${ports.get('service:web')}/`)).toBe('hello\n');
    expect((await world.shell(`dig @127.0.0.1 -p ${ports.get('service:names')} desk.test +short`)).stdout).toBe(`${DNS_ANSWER}\n`);
    for (const name of ['closed', 'missing']) {
      const from = forward.events.length;
      expect(await curl(`http://127.0.0.1:${ports.get(`service:${name}`)}/`)).toContain('curl: (');
      expect(await forward.waitFor('failure', { from })).toMatchObject({ code: 'TUNNEL_NOT_ALLOWED' });
    }
    for (const process of [forward, host.process]) expect((await process.stop()).code).toBe(0);
  });

  /** A page that says the last digit of its port. */
  function startPage(port: number): ReturnType<typeof world.nas.spawn> {
    const script = `require('http').createServer((_, r) => r.end('${port % 10}')).listen(${port})`;
    return world.nas.spawn(process.execPath, ['-e', script]);
  }
});

/** argv: the address, and the host name that is asked for. */
const WEBSOCKET_CLIENT = `
const WebSocket = require('ws');
const [url, host] = process.argv.slice(1);
const socket = new WebSocket(url, { headers: { host } });
let bytes = 0;
socket.on('open', () => { for (let i = 0; i < 100; i++) socket.send('x'.repeat(1000)); });
socket.on('message', (data) => { bytes += data.length; if (bytes === 100000) socket.close(); });
socket.on('close', () => console.log('echoed ' + bytes));
`;
