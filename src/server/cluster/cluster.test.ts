import { beforeEach, describe, expect, it } from 'vitest';
import { hbb, mangleAddress, unmangleAddress } from '../../core/wire/index.ts';
import { FakeClient, settled, TestCluster, type TestNode } from './test-node.ts';

const Result = hbb.RegisterPkResponse.Result;
const Failure = hbb.PunchHoleResponse.Failure;
const ID = '123456789';
const B = { host: '198.51.100.2', port: 4000 };
const registerPk = { registerPk: { id: ID, uuid: new Uint8Array([1]), pk: new Uint8Array(32).fill(7) } };
const punch = { punchHoleRequest: { id: ID, natType: hbb.NatType.ASYMMETRIC, udpPort: 5000 } };

let world: TestCluster;
let one: TestNode;
let two: TestNode;
let three: TestNode;

beforeEach(async () => {
  world = new TestCluster();
  one = await world.node('one');
  two = await world.node('two');
  three = await world.node('three');
});

async function register(at: TestNode): Promise<hbb.RegisterPkResponse.Result> {
  await at.datagram(registerPk, B);
  return at.path.take()?.registerPkResponse?.result ?? Result.SERVER_ERROR;
}
/** A at `at` asks, B at `holder` is told; gives A and what B must name. */
async function ask(at: TestNode, holder: TestNode): Promise<{ a: FakeClient; socketAddr: Uint8Array }> {
  const a = new FakeClient('203.0.113.1', 1000);
  await at.message(a, punch);
  const pushed = holder.path.take();
  expect(pushed?.punchHole).toMatchObject({ udpPort: 5000, natType: hbb.NatType.ASYMMETRIC });
  const socketAddr = pushed?.punchHole?.socketAddr ?? new Uint8Array();
  expect(unmangleAddress(socketAddr)).toEqual(a.remote);
  return { a, socketAddr };
}

describe('several nodes', () => {
  it('introduce a peer that is registered at another one, and the answer may come to a third', async () => {
    expect(await register(two)).toBe(Result.OK);
    const { a, socketAddr } = await ask(one, two);
    const b = new FakeClient(B.host, 4001);
    await three.message(b, { punchHoleSent: { id: ID, socketAddr, relayServer: 'relay', version: '1.4' } });
    expect(b.closed).toBe(true);
    expect(a.got).toHaveLength(1);
    const response = a.got[0]?.punchHoleResponse;
    expect(unmangleAddress(response?.socketAddr ?? new Uint8Array())).toEqual(b.remote);
    expect(response).toMatchObject({ relayServer: 'relay' });
    expect(response?.pk?.length).toBeGreaterThan(64);
    expect(one.rendezvous.waits(a)).toBe(false);
  });

  it('hand on where the peer may be met before its answer, and then the answer', async () => {
    await register(two);
    const a = new FakeClient('203.0.113.1', 1000);
    const uuid = '0e8a4a2c-8a52-4b1c-8d2f-3d8b7b1f7a11';
    await one.message(a, { punchHoleRequest: { ...punch.punchHoleRequest, relayUuid: uuid } });
    const { socketAddr = null } = two.path.take()?.punchHole ?? {};
    expect(a.got.map(({ union }) => union)).toEqual(['relayMeeting']);
    expect(a.got[0]?.relayMeeting).toMatchObject({ uuid });
    await three.message(new FakeClient(B.host, 4001), { punchHoleSent: { id: ID, socketAddr, version: '1.4' } });
    expect(a.got.map(({ union }) => union)).toEqual(['relayMeeting', 'punchHoleResponse']);
    expect(one.rendezvous.waits(a)).toBe(false);
  });

  it('hand on an answer by UDP and an answer without an id', async () => {
    await register(two);
    const first = await ask(one, two);
    await three.datagram({ punchHoleSent: { id: ID, socketAddr: first.socketAddr, version: '1.4' } }, { host: B.host, port: 4002 });
    expect(first.a.got[0]?.punchHoleResponse).toMatchObject({ isUdp: true });
    const a = new FakeClient('203.0.113.2', 1000);
    await one.message(a, { requestRelay: { id: ID, uuid: 'u', relayServer: 'r' } });
    const { socketAddr } = two.path.take()?.requestRelay ?? {};
    await three.message(new FakeClient(B.host, 4003), { relayResponse: { socketAddr: socketAddr ?? null } });
    expect(a.got[0]?.union).toBe('relayResponse');
    // Whichever relay they were sent to.
    for (const node of [one, two, three]) expect(node.introductions.get('u')?.hosts).toContain('203.0.113.2');
  });

  it('take no answer from anybody else, wherever it comes in', async () => {
    await register(two);
    const { a } = await ask(one, two);
    const forged = { id: ID, socketAddr: mangleAddress(a.remote, 1), version: '1.4' };
    for (const node of [one, two, three]) {
      await node.message(new FakeClient('203.0.113.66', 6666), { punchHoleSent: forged });
      await node.message(new FakeClient('203.0.113.66', 6666), { relayResponse: { ...forged, uuid: 'u' } });
      await node.datagram({ punchHoleSent: forged }, { host: '203.0.113.66', port: 6666 });
    }
    expect(a.got).toEqual([]);
    expect(two.counters.of('answer-unasked')).toBeGreaterThan(0);
  });

  it('say what the holder would say about an unknown and an offline peer', async () => {
    const a = new FakeClient('203.0.113.1', 1000);
    await one.message(a, punch);
    expect(a.got[0]?.punchHoleResponse?.failure).toBe(Failure.ID_NOT_EXIST);
    await register(two);
    world.clock.advance(30_001);
    await one.message(a, punch);
    expect(a.got[1]?.punchHoleResponse?.failure).toBe(Failure.OFFLINE);
    two.rendezvous.sweep();
    await settled();
    await one.message(a, punch);
    expect(a.got[2]?.punchHoleResponse?.failure).toBe(Failure.OFFLINE);
  });

  it('follow a peer that moves, and ask it for its key where its record may be old', async () => {
    await register(one);
    await one.message(new FakeClient('203.0.113.9', 9), punch);
    one.path.take();
    await two.datagram({ registerPeer: { id: ID } }, B);
    expect(two.path.take()?.registerPeerResponse?.requestPk).toBe(true);
    expect(await register(two)).toBe(Result.OK);
    expect(one.cluster.held).toBe(0);
    await ask(one, two);
    await one.datagram({ registerPeer: { id: ID } }, B);
    expect(one.path.take()?.registerPeerResponse?.requestPk).toBe(true);
  });

  it('forget what an operator had forgotten at another one, and follow his settings', async () => {
    await register(one);
    world.store.rows.delete(ID);
    two.cluster.removed(ID);
    two.cluster.changed({ alwaysRelay: true });
    await settled();
    expect([one.peers.inMemory(ID), one.cluster.held]).toEqual([undefined, 0]);
    expect([one, two, three].map((node) => node.settings.map(({ alwaysRelay, relays }) => [alwaysRelay, relays]))).toEqual([
      [[true, undefined]],
      [],
      [[true, undefined]],
    ]);
    // Another machine may have it now.
    const other = { registerPk: { ...registerPk.registerPk, uuid: new Uint8Array([2]) } };
    await three.datagram(other, { host: '198.51.100.3', port: 1 });
    expect(three.path.take()?.registerPkResponse?.result).toBe(Result.OK);
  });

  it('keep one id to one machine', async () => {
    await register(one);
    const other = { registerPk: { ...registerPk.registerPk, uuid: new Uint8Array([2]) } };
    await two.datagram(other, { host: '198.51.100.3', port: 1 });
    expect(two.path.take()?.registerPkResponse?.result).toBe(Result.UUID_MISMATCH);
  });

  it('answer an online query for all of them', async () => {
    await register(two);
    const a = new FakeClient('203.0.113.1', 1000);
    one.rendezvous.onNatTestMessage(a, (await import('../../core/wire/index.ts')).encodeRendezvous({
      onlineRequest: { id: 'me', peers: ['nobody', ID, 'x'] },
    }));
    await settled();
    expect([...(a.got[0]?.onlineResponse?.states ?? [])]).toEqual([0x40]);
    expect(a.closed).toBe(true);
  });

  it('forget a controller that has gone', async () => {
    await register(two);
    const { a } = await ask(one, two);
    expect(two.rendezvous.pendingAsks).toBe(1);
    one.rendezvous.onClosed(a);
    await settled();
    expect(two.rendezvous.pendingAsks).toBe(0);
  });

  it('lose nobody for longer than a heartbeat when a node dies', async () => {
    await register(two);
    two.directory.disconnect();
    const a = new FakeClient('203.0.113.1', 1000);
    await one.message(a, punch);
    expect(a.got[0]?.punchHoleResponse?.failure).toBe(Failure.OFFLINE);
    await three.datagram({ registerPeer: { id: ID } }, B);
    expect(three.path.take()?.registerPeerResponse?.requestPk).toBe(true);
    expect(await register(three)).toBe(Result.OK);
    await ask(one, three);
  });
});

describe('a shared store that is away', () => {
  it('costs no registration that was acknowledged, and no false OK is given', async () => {
    await register(one);
    for (const node of [one, two, three]) node.directory.disconnect();
    world.store.down = true;
    // What it knows itself it still serves.
    const a = new FakeClient('203.0.113.1', 1000);
    await one.message(a, punch);
    expect(one.path.take()?.union).toBe('punchHole');
    await one.datagram({ registerPeer: { id: ID } }, B);
    expect(one.path.take()?.registerPeerResponse).toMatchObject({ requestPk: false });
    // A new one is held for a while and then refused.
    const stranger = { registerPk: { id: '987654321', uuid: new Uint8Array([9]), pk: new Uint8Array(32) } };
    await two.datagram(stranger, B);
    expect(two.path.got).toEqual([]);
    world.clock.advance(2_500);
    await settled();
    expect(two.path.take()?.registerPkResponse?.result).toBe(Result.SERVER_ERROR);
    const c = new FakeClient('203.0.113.3', 1000);
    await two.message(c, { punchHoleRequest: { id: '987654321' } });
    world.clock.advance(2_500);
    await settled();
    expect(c.got[0]?.punchHoleResponse?.failure).toBe(Failure.OFFLINE);
  });

  it('is told everything again when it is back, even what it had lost', async () => {
    await register(one);
    one.directory.disconnect();
    world.store.rows.clear();
    one.directory.connect();
    await settled();
    expect(world.store.rows.get(ID)?.uuid).toEqual(new Uint8Array([1]));
    await ask(two, one);
    expect(one.counters.of('cluster-resynchronised')).toBe(1);
  });

  it('gets a peer that two nodes claim from the one that heard it last', async () => {
    await register(one);
    one.directory.disconnect();
    world.clock.advance(5_000);
    expect(await register(two)).toBe(Result.OK);
    world.clock.advance(5_000);
    one.directory.connect();
    await settled();
    expect(one.cluster.held).toBe(0);
    await ask(one, two);
  });
});
