/** Our own peers where nothing but TCP 443 gets through: host and connect as separate processes behind real NATs. */
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { writeCertificate } from '../../src/server/one-port/test-certificates.ts';
import { buildCli, type CliResult } from '../lib/cli-process.ts';
import { nginxUnavailable, startNginx } from '../lib/nginx.ts';
import { eventOf, PASSWORD, World } from '../lib/world.ts';
import { labUnavailable } from '../natlab/index.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, one port: ${unavailable}`);
else buildCli();
const noNginx = unavailable ?? nginxUnavailable();

/** A firewall in front of a LAN that lets out nothing but TCP to 443. */
const ONLY_443 = `
table ip firewall {
  chain outgoing {
    type filter hook forward priority -10; policy accept;
    iifname "lan" meta l4proto udp drop
    iifname "lan" tcp dport != 443 drop
  }
}`;

describe.skipIf(unavailable !== null)('everything through one port', () => {
  let world: World | undefined;
  afterEach(async () => {
    await world?.lab.destroy();
    world = undefined;
  });

  const certificate = (directory: string): string[] => {
    const { certFile, keyFile } = writeCertificate(directory);
    return ['--tls-cert', certFile, '--tls-key', keyFile];
  };
  const expectSession = (result: CliResult, id: string, paths: readonly string[]): void => {
    const connected = eventOf(result, 'connected');
    expect(connected, JSON.stringify(connected)).toMatchObject({ id, encrypted: true, peerVerified: true });
    expect(paths).toContain(connected['path']);
    expect(result.events.filter((event) => event.event === 'pong')).toHaveLength(3);
    expect(result.code).toBe(0);
  };

  test.each([
    { title: 'only TCP 443', rules: ONLY_443, paths: ['relay'] },
    { title: 'TCP, but no UDP', rules: '', paths: ['tcp', 'relay'] },
  ])('TLS at both ends where the network lets out $title', async ({ rules, paths }) => {
    world = await World.create({ b: 'udp-blocked', a: 'udp-blocked' }, (directory) => [
      ...['--single-port', '--classic-ports', 'off'],
      ...certificate(directory),
    ]);
    if (rules !== '') for (const name of ['a', 'b']) world.lab.changeGateway(name, rules);
    expect(world.invite).toMatch(/:443\?key=[^#]*&single=1&tls=1#/);
    const host = await world.startHost('b', ['--server', world.invite]);
    const capture = await world.lab.capture();
    const result = await world.connect('a', host.id, ['--server', world.invite, '--ping', '3']);
    expectSession(result, host.id, paths);
    const opened = await host.process.waitFor('session-opened');
    await host.process.waitFor('session-closed', { where: (event) => event['sessionId'] === opened['sessionId'] });
    // On a path of its own a session's first frame names the ID (rendezvous §11.2); inside TLS not even that can be read.
    const seen = await capture.stop();
    const inTls = rules === '' ? [] : [host.id];
    for (const secret of [...inTls, PASSWORD, 'Linux', userInfo().username])
      expect(seen.includes(secret), `"${secret}" in the clear`).toBe(false);
  });

  test('UDP still makes the path where it gets through', async () => {
    world = await World.create({ b: 'port-restricted', a: 'port-restricted' }, (directory) => [
      ...['--single-port', '--classic-ports', 'off'],
      ...certificate(directory),
    ]);
    const host = await world.startHost('b', ['--server', world.invite]);
    const result = await world.connect('a', host.id, ['--server', world.invite, '--path', 'udp', '--ping', '3']);
    expectSession(result, host.id, ['udp']);
  });

  test('a classic peer and one of the single port meet', async () => {
    world = await World.create({ b: 'port-restricted', a: 'udp-blocked' }, (directory) => ['--single-port', ...certificate(directory)]);
    world.lab.changeGateway('a', ONLY_443);
    const host = await world.startHost('b');
    const single = `tls://${world.serverAddress}`;
    const result = await world.connect('a', host.id, ['--server', single, '--key', world.key, '--ping', '3']);
    expectSession(result, host.id, ['relay']);
  });

  test('with another key nothing is believed, whatever the certificate says', async () => {
    world = await World.create({ b: 'open', a: 'open' }, (directory) => ['--single-port', ...certificate(directory)]);
    const host = await world.startHost('b');
    const key = Buffer.alloc(32, 9).toString('base64');
    const result = await world.connect('a', host.id, ['--server', `tls://${world.serverAddress}`, '--key', key]);
    expect(result.code).toBe(1);
    expect(eventOf(result, 'error')).toMatchObject({ stage: 'lookup' });
  });

  test.skipIf(noNginx !== null).each([
    { title: 'a web proxy with TLS, found out in the handshake', address: (host: string) => `tls://${host}` },
    { title: 'a web proxy with TLS, as the invitation says', address: 'invitation' as const },
    { title: 'a web proxy without TLS', address: (host: string) => `ws://${host}` },
    { title: 'a TCP proxy that sends PROXY headers', address: (host: string) => `tls://${host}:8443`, paths: ['tcp', 'relay'] },
  ])('behind $title', async ({ address, paths = ['relay'] }) => {
    let certificates: string[] = [];
    world = await World.create({ b: 'udp-blocked', a: 'udp-blocked' }, (directory) => {
      certificates = certificate(directory);
      return [
        ...['--single-port', '7443', '--classic-ports', 'off', '--bind', '127.0.0.1', ...certificates],
        ...['--trusted-proxy', '127.0.0.1', '--proxy-protocol', '--public-host', 'wss://203.0.113.10'],
      ];
    });
    const { directory } = world.lab;
    await startNginx({
      directory: join(directory, 'nginx'),
      host: world.lab.host('server'),
      port: 443,
      http: `
        map $http_upgrade $connection_upgrade { default upgrade; '' close; }
        server {
          listen 80;
          listen 443 ssl;
          ssl_certificate ${certificates[1]};
          ssl_certificate_key ${certificates[3]};
          location / {
            proxy_pass http://127.0.0.1:7443;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_read_timeout 120s;
          }
        }`,
      stream: 'server { listen 8443; proxy_pass 127.0.0.1:7443; proxy_protocol on; }',
    });
    expect(world.serverAddress).toBe('203.0.113.10');
    expect(world.invite).toMatch(/^litedesk:\/\/203\.0\.113\.10:443\?key=[^#&]*&single=1&tls=1&ws=1#/);
    const server = address === 'invitation' ? ['--server', world.invite] : ['--server', address(world.serverAddress), '--key', world.key];
    const host = await world.startHost('b', server);
    expectSession(await world.connect('a', host.id, [...server, '--ping', '3']), host.id, paths);
  });
});
