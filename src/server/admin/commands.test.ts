/** What the consoles of hbbs and hbbr did (rendezvous §1.4), asked of a running server. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { decodeRendezvous, encodeFrame, encodeRendezvous, hbb } from '../../core/wire/index.ts';
import { ServerUnderTest } from '../test-server.ts';
import { tcpClient, type TestClient, udpClient } from '../test-wire.ts';
import { callAdmin } from './client.ts';

const rig = new ServerUnderTest();
const limits = { relayPairBps: 128 * 1024 * 1024, relayTotalBps: 1024 * 1024 * 1024 };
const signal = new AbortController().signal;
const admin = async (line: string): Promise<unknown> =>
  (await callAdmin(rig.dir, line.split(' '), signal)).result;

beforeEach(async () => {
  await rig.start({ relays: ['192.0.2.50'], openRelay: true, limits });
});
async function register(id: string, from = '127.0.0.41', uuid = 'machine'): Promise<TestClient> {
  const client = await udpClient(rig.server.ports.rendezvous, from);
  rig.track(client);
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
  client.send(encodeRendezvous({ registerPk: { id, uuid: bytes(uuid), pk: bytes('k'.repeat(32)) } }));
  expect(decodeRendezvous((await client.inbox.next()) ?? new Uint8Array()).registerPkResponse?.result).toBe(
    0,
  );
  return client;
}
/** The answer's relay for an online id, as its controlled side is told. */
async function punch(
  id: string,
  peer?: TestClient,
): Promise<hbb.IPunchHole | hbb.IPunchHoleResponse | null | undefined> {
  const controller = await tcpClient(rig.server.ports.rendezvous, '127.0.0.42');
  rig.track(controller);
  controller.send(encodeRendezvous({ punchHoleRequest: { id, licenceKey: rig.server.publicKey } }));
  const reply = decodeRendezvous((await (peer ?? controller).inbox.next()) ?? new Uint8Array());
  return peer ? reply.punchHole : reply.punchHoleResponse;
}

it('lists, shows and forgets computers', async () => {
  await register('peer-one');
  await register('peer-two', '127.0.0.43');
  expect(await admin('peers')).toMatchObject({
    total: 2,
    peers: [{ id: 'peer-one', via: 'udp' }, { id: 'peer-two' }],
  });
  expect(await admin('peers list --start 1 --count 1')).toMatchObject({ peers: [{ id: 'peer-two' }] });
  expect(await admin('peers list --known')).toMatchObject({
    total: 2,
    peers: [{ id: 'peer-one', ip: '127.0.0.41' }, {}],
  });
  expect(await admin('peers show peer-one')).toMatchObject({
    known: true,
    via: 'udp',
    host: '127.0.0.41',
    uuid: Buffer.from('machine').toString('hex'),
  });
  expect(await admin('peers show nobody')).toEqual({ id: 'nobody', known: false });
  expect(await admin('peers remove peer-one')).toEqual({ id: 'peer-one', removed: true });
  expect(await admin('peers remove peer-one')).toEqual({ id: 'peer-one', removed: false });
  expect(await punch('peer-one')).toMatchObject({ failure: hbb.PunchHoleResponse.Failure.ID_NOT_EXIST });
  // It is anybody's now.
  await register('peer-one', '127.0.0.44', 'another machine');
});

it('knows who was asked for, who changed the address, and how many ids came from where', async () => {
  await register('peer-one');
  await register('peer-one', '127.0.0.45');
  await punch('nobody');
  expect(await admin('pr')).toMatchObject([
    { outcome: 'punch-id-not-exist', id: 'nobody', from: '127.0.0.42' },
  ]);
  expect(await admin('requests -')).toEqual({ cleared: true });
  expect(await admin('requests 0 5')).toEqual([]);
  expect(await admin('ic')).toMatchObject([
    { id: 'peer-one', changes: 1, addresses: ['127.0.0.41', '127.0.0.45'] },
  ]);
  expect(await admin('ip-changes peer-one -')).toEqual({ name: 'peer-one', forgotten: true });
  expect(await admin('ip-changes 0')).toEqual([]);
  expect(await admin('ip-blocker')).toMatchObject([{ address: '127.0.0.41', ids: 1 }]);
  expect(await admin('ib 127.0.0.41')).toHaveLength(1);
  expect(await admin('address-limits 127.0.0.41 -')).toEqual({ name: '127.0.0.41', forgotten: true });
  expect(await admin('ib')).toEqual([]);
});

it('changes relays and always-relay, one without the other', async () => {
  const peer = await register('peer-one');
  expect(await punch('peer-one', peer)).toMatchObject({ relayServer: '192.0.2.50', natType: 0 });
  expect(await admin('rs 192.0.2.60:1')).toMatchObject([{ address: '192.0.2.60:1' }]);
  expect(await admin('tg 192.0.2.1')).toMatchObject({ relay: '192.0.2.60:1' });
  expect(await admin('aur Y')).toEqual({ alwaysRelay: true });
  // With hbbs this emptied the list of relays.
  expect(await punch('peer-one', peer)).toMatchObject({
    relayServer: '192.0.2.60:1',
    natType: hbb.NatType.SYMMETRIC,
  });
  expect(await admin('always-relay N')).toEqual({ alwaysRelay: false });
  expect(await admin('relays -')).toEqual([]);
  expect((await callAdmin(rig.dir, ['relays'], signal)).text).toBe('the built-in relay');
  expect(await punch('peer-one', peer)).toMatchObject({ relayServer: '', natType: 0 });
  expect(await admin('rg')).toMatchObject({ reloaded: false });
  await expect(admin('aur perhaps')).rejects.toMatchObject({ code: 'ADMIN_USAGE' });
});

it('keeps the lists of the relay in their files', async () => {
  expect(await admin('ba 192.0.2.1|192.0.2.2')).toEqual({ added: ['192.0.2.1', '192.0.2.2'], size: 2 });
  expect(await admin('blocklist add 10.0.0.0/8 2001:db8::1')).toEqual({
    added: ['10.0.0.0/8', '2001:db8::1'],
    size: 2,
  });
  expect(readFileSync(join(rig.dir, 'blacklist.txt'), 'utf8')).toBe('192.0.2.1\n192.0.2.2\n');
  expect(await admin('b')).toEqual(['192.0.2.1', '192.0.2.2']);
  expect(await admin('B 10.9.8.7')).toEqual({ address: '10.9.8.7', listed: true });
  expect(await admin('br 192.0.2.1')).toEqual({ removed: ['192.0.2.1'], size: 1 });
  expect(await admin('blocklist-remove all')).toMatchObject({ size: 0 });
  await expect(admin('ba nonsense')).rejects.toMatchObject({ code: 'ADMIN_USAGE' });
  writeFileSync(join(rig.dir, 'blacklist.txt'), '192.0.2.9');
  await admin('reload');
  expect(await admin('blacklist')).toEqual(['192.0.2.9']);
});

it('shows and changes speeds in the units of hbbr, and the sessions', async () => {
  expect(await admin('sb')).toEqual({ 'single-bandwidth': 128 });
  expect(await admin('total-bandwidth 2048')).toEqual({ 'total-bandwidth': 2048 });
  expect(await admin('tb')).toEqual({ 'total-bandwidth': 2048 });
  expect([await admin('ls'), await admin('dt'), await admin('t')]).toEqual([
    { 'limit-speed': 32 },
    { 'downgrade-threshold': 0.66 },
    { 'downgrade-start-check': 1800 },
  ]);
  await expect(admin('sb much')).rejects.toMatchObject({ code: 'ADMIN_USAGE' });
  const ends: TestClient[] = [];
  for (const host of ['127.0.0.46', '127.0.0.47']) {
    const end = await tcpClient(rig.server.ports.relay, host, true);
    rig.track(end);
    ends.push(end);
    end.sendRaw(
      encodeFrame(encodeRendezvous({ requestRelay: { uuid: 'u', licenceKey: rig.server.publicKey } })),
    );
  }
  ends[0]?.sendRaw(Buffer.from('hello'));
  await ends[1]?.inbox.next();
  const [session] = (await admin('u')) as { session: number }[];
  expect(session).toMatchObject({ bytes: 5, limited: null });
  expect(await admin(`sessions end ${session?.session}`)).toMatchObject({ ended: true });
  expect(await ends[0]?.inbox.next()).toBeNull();
  expect(await admin('sessions')).toEqual([]);
});

it('names every command once, and tells limits and counters', async () => {
  const help = (await admin('help')) as { command: string }[];
  expect(help.map((line) => line.command)).toEqual(
    expect.arrayContaining(['stats', 'peers remove ID', 'always-relay [Y|N]']),
  );
  expect(await admin('limits')).toMatchObject({ maxConnections: expect.any(Number) });
  expect(await admin('stats')).toMatchObject({ relayPairs: 0 });
});
