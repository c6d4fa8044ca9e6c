/** Stock-style clients, written from the specification alone (client.mjs), through NATs and the real server. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { buildCli, CliProcess } from '../lib/cli-process.ts';
import { createLab, type HostPlace, type Lab, labUnavailable } from '../natlab/index.ts';
import { StockClient } from './stock-client.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, stock-style clients in the NAT laboratory: ${unavailable}`);
else buildCli();

const ID = '123456789';

describe.skipIf(unavailable !== null)('stock-style clients', () => {
  let lab: Lab;
  let key: string;
  let server: CliProcess;
  afterEach(() => lab.destroy());

  async function start(hosts: Record<string, HostPlace>, ipv6 = false, args: readonly string[] = []): Promise<void> {
    lab = await createLab({ hosts: { server: 'open', ...hosts }, ipv6 });
    server = new CliProcess(lab.host('server'), ['server', '--data', join(lab.directory, 'server'), ...args]);
    key = String((await server.waitFor('ready'))['key']);
  }
  const client = (host: string, options: Record<string, unknown>): StockClient =>
    new StockClient(lab.host(host), { id: ID, key, server: lab.host('server').address, ...options });
  const controlled = async (host: string, options: Record<string, unknown> = {}): Promise<StockClient> => {
    const peer = client(host, { role: 'controlled', ...options });
    await peer.waitFor('registered');
    return peer;
  };
  const v6Of = (host: string): string => `2001:db8:113::${lab.host(host).address.split('.')[3]}`;
  /** A stateful firewall like a home router's for IPv6: what was not asked for is dropped. */
  const firewall = async (host: string, rules: string): Promise<void> => {
    const done = await lab.host(host).run('nft', [rules]);
    expect(done.stderr).toBe('');
  };
  const STATEFUL_V6 =
    'table ip6 fw { chain in { type filter hook input priority 0; policy drop; ct state established,related accept; iif lo accept; meta l4proto ipv6-icmp accept; }; }';
  const ONLY_SERVER_V4 = (): string =>
    `table ip fw { chain in { type filter hook input priority 0; policy drop; iif lo accept; ip saddr ${lab.host('server').address} accept; }; }`;

  test('port-restricted × port-restricted: an introduction over UDP, and KCP through the holes', async () => {
    await start({ a: 'port-restricted', b: 'port-restricted' });
    const b = await controlled('b');
    const a = client('a', { role: 'controller', udpPunch: true });
    expect(await a.waitFor('reply', { where: (event) => event['withUdp'] === true })).toMatchObject({ reply: 'punchHoleResponse', isUdp: 1 });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'udp', heard: 'from B' });
    expect(await a.waitFor('key')).toMatchObject({ signed: ID });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'udp', heard: 'from A' });
  });

  test('the same over IPv6 alone, through stateful firewalls', async () => {
    await start({ a: 'open', b: 'open' }, true);
    for (const host of ['a', 'b']) await firewall(host, STATEFUL_V6);
    const b = await controlled('b', { server: v6Of('server') });
    // Without TCP, which gets through a firewall on the host itself.
    const a = client('a', { role: 'controller', udpPunch: true, onlyUdp: true, server: v6Of('server') });
    expect(await a.waitFor('reply', { where: (event) => event['withUdp'] === true })).toMatchObject({ reply: 'punchHoleResponse', isUdp: 1 });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'udp', heard: 'from B' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'udp', heard: 'from A' });
  });

  test('IPv6 addresses are passed both ways beside an IPv4 introduction', async () => {
    await start({ a: 'open', b: 'open' }, true);
    for (const host of ['a', 'b']) {
      await firewall(host, STATEFUL_V6);
      await firewall(host, ONLY_SERVER_V4());
    }
    const b = await controlled('b');
    const a = client('a', { role: 'controller', v6Punch: true });
    expect(await b.waitFor('push')).toMatchObject({ push: 'punchHole', v6: true });
    expect(await a.waitFor('reply')).toMatchObject({ reply: 'punchHoleResponse', v6: true });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'udp6', heard: 'from B over IPv6' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'udp6', heard: 'from A over IPv6' });
  });

  test('a controlled side that is registered over WebSocket only is reached, by its relay connection over WebSocket', async () => {
    await start({ a: 'port-restricted', b: 'udp-blocked' });
    const b = await controlled('b', { transport: 'ws' });
    expect(Number((await b.waitFor('keep-alive'))['seconds'])).toBeGreaterThan(0);
    const a = client('a', { role: 'controller', udpPunch: true, framedRelay: true });
    expect(await a.waitFor('reply')).toMatchObject({ reply: 'relayResponse' });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'relay' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'relay-ws', heard: 'from A' });
  });

  test('behind one NAT: the local address, beside a hole for the attempt with UDP', async () => {
    await start({ a: 'port-restricted', b: { behind: 'a' } });
    const b = await controlled('b');
    const a = client('a', { role: 'controller', udpPunch: true });
    await a.waitFor('reached');
    await b.waitFor('connected');
    const pushes = b.events.filter((event) => event.event === 'push').map((event) => event['push']);
    expect(pushes.sort()).toEqual(['fetchLocalAddr', 'punchHole']);
  });

  test('symmetric NATs go by the relay', async () => {
    await start({ a: 'symmetric', b: 'symmetric' });
    const b = await controlled('b');
    const a = client('a', { role: 'controller', udpPunch: true });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'relay' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'relay', heard: 'from A' });
  });

  test('the server comes back and the client is reachable again with its next heartbeat', async () => {
    await start({ a: 'port-restricted', b: 'port-restricted' });
    const b = await controlled('b');
    server.child.kill('SIGKILL');
    server = new CliProcess(lab.host('server'), ['server', '--data', join(lab.directory, 'server')]);
    await server.waitFor('ready');
    const refused = client('a', { role: 'controller', udpPunch: true });
    expect(await refused.waitFor('reply')).toMatchObject({ failure: 2 });
    const from = b.events.length;
    b.heartbeat();
    expect(await b.waitFor('heartbeat', { from })).toMatchObject({ requestPk: false });
    const a = client('a', { role: 'controller', udpPunch: true });
    expect(await a.waitFor('reached')).toMatchObject({ path: 'udp', heard: 'from B' });
    expect(await b.waitFor('connected')).toMatchObject({ path: 'udp' });
  });
});
