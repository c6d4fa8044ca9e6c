/** The same stock-style clients, where the server has nothing but one port, and behind nginx. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { writeCertificate } from '../../src/server/one-port/test-certificates.ts';
import { buildCli, CliProcess } from '../lib/cli-process.ts';
import { nginxUnavailable, startNginx } from '../lib/nginx.ts';
import { createLab, type HostPlace, type Lab, labUnavailable } from '../natlab/index.ts';
import { StockClient } from './stock-client.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, stock-style clients through one port: ${unavailable}`);
else buildCli();
const noNginx = unavailable ?? nginxUnavailable();

const ID = '123456789';

describe.skipIf(unavailable !== null)('stock-style clients through one port', () => {
  let lab: Lab;
  let key: string;
  afterEach(() => lab.destroy());

  async function start(hosts: Record<string, HostPlace>, options: { ipv6?: boolean; port?: number; args?: readonly string[] } = {}): Promise<void> {
    const { ipv6 = false, port = 443, args = [] } = options;
    lab = await createLab({ hosts: { server: 'open', ...hosts }, ipv6 });
    const { certFile, keyFile } = writeCertificate(lab.directory);
    const server = new CliProcess(lab.host('server'), [
      ...['server', '--data', join(lab.directory, 'server'), '--single-port', String(port), '--classic-ports', 'off'],
      ...['--tls-cert', certFile, '--tls-key', keyFile, ...args],
    ]);
    const ready = await server.waitFor('ready');
    expect(ready['ports']).toMatchObject({ rendezvous: 0, natTest: 0, relay: 0, ws: 0, relayWs: 0, single: port });
    key = String(ready['key']);
  }
  /** With WebSocket on, a client that is given a domain rewrites every address to this (rendezvous §9.6). */
  const overWebSocket = (): Record<string, unknown> => {
    const url = (path: string): string => `wss://${lab.host('server').address}/ws/${path}`;
    return { transport: 'ws', wsUrl: { 445: url('id'), 446: url('relay') } };
  };
  const client = (host: string, options: Record<string, unknown>): StockClient =>
    new StockClient(lab.host(host), { id: ID, key, server: lab.host('server').address, port: 443, ...options }, { NODE_TLS_REJECT_UNAUTHORIZED: '0' });
  const controlled = async (host: string, options: Record<string, unknown> = {}): Promise<StockClient> => {
    const peer = client(host, { role: 'controlled', ...options });
    await peer.waitFor('registered');
    return peer;
  };
  const STATEFUL_V6 =
    'table ip6 fw { chain in { type filter hook input priority 0; policy drop; ct state established,related accept; iif lo accept; meta l4proto ipv6-icmp accept; }; }';

  test('port-restricted × port-restricted: an introduction over UDP', async () => {
    await start({ a: 'port-restricted', b: 'port-restricted' });
    const b = await controlled('b');
    const a = client('a', { role: 'controller', udpPunch: true });
    expect(await a.waitFor('reply', { where: (event) => event['withUdp'] === true })).toMatchObject({ reply: 'punchHoleResponse', isUdp: 1 });
    expect(await a.waitFor('key')).toMatchObject({ signed: ID });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'udp', heard: 'from B' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'udp', heard: 'from A' });
    // The relay is named with the port that is there.
    expect((await b.waitFor('push'))['relayServer']).toBe(`${lab.host('server').address}:443`);
  });

  test('the same over IPv6 alone, through stateful firewalls', async () => {
    await start({ a: 'open', b: 'open' }, { ipv6: true });
    for (const host of ['a', 'b']) expect((await lab.host(host).run('nft', [STATEFUL_V6])).stderr).toBe('');
    const server = `2001:db8:113::${lab.host('server').address.split('.')[3]}`;
    const b = await controlled('b', { server });
    const a = client('a', { role: 'controller', udpPunch: true, onlyUdp: true, server });
    expect(await a.waitFor('reply', { where: (event) => event['withUdp'] === true })).toMatchObject({ reply: 'punchHoleResponse', isUdp: 1 });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'udp', heard: 'from B' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'udp', heard: 'from A' });
  });

  test('symmetric NATs go by the relay at the same port', async () => {
    await start({ a: 'symmetric', b: 'symmetric' });
    const b = await controlled('b');
    const a = client('a', { role: 'controller', forceRelay: true });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'relay' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'relay', heard: 'from A' });
  });

  test('registered by WebSocket in TLS only, reached over plain TCP', async () => {
    await start({ a: 'port-restricted', b: 'udp-blocked' });
    const b = await controlled('b', overWebSocket());
    expect(Number((await b.waitFor('keep-alive'))['seconds'])).toBeGreaterThan(0);
    const a = client('a', { role: 'controller', udpPunch: true, framedRelay: true });
    expect(await a.waitFor('reply')).toMatchObject({ reply: 'relayResponse' });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'relay' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'relay-ws', heard: 'from A' });
  });

  test('both by WebSocket in TLS', async () => {
    await start({ a: 'udp-blocked', b: 'udp-blocked' });
    const b = await controlled('b', overWebSocket());
    const a = client('a', { role: 'controller', ...overWebSocket() });
    expect(await a.waitFor('key')).toMatchObject({ signed: ID });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'relay' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'relay-ws', heard: 'from A' });
  });

  test.skipIf(noNginx !== null)('both by WebSocket through nginx, which ends TLS', async () => {
    await start({ a: 'udp-blocked', b: 'udp-blocked' }, { port: 7443, args: ['--bind', '127.0.0.1', '--trusted-proxy', '127.0.0.1'] });
    await startNginx({
      directory: join(lab.directory, 'nginx'),
      host: lab.host('server'),
      port: 443,
      http: `
        server {
          listen 443 ssl;
          ssl_certificate ${join(lab.directory, 'tls.crt')};
          ssl_certificate_key ${join(lab.directory, 'tls.key')};
          location /ws/ {
            proxy_pass http://127.0.0.1:7443;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_read_timeout 120s;
          }
        }`,
    });
    const b = await controlled('b', overWebSocket());
    const a = client('a', { role: 'controller', ...overWebSocket() });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'relay' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'relay-ws', heard: 'from A' });
  });
});
