/** Registration over UDP, TCP and WebSocket (rendezvous §5.6 to §5.8, §6.1, §6.10). */
import { describe, expect, it } from 'vitest';
import type { TestClient } from '../test-wire.ts';
import { A, ask, B, expectSilence, Failure, ID, PK, receive, Result, Rig, say, UUID } from './rig.ts';

const rig = Rig.forEachTest();
const OTHER_PK = new Uint8Array(32).fill(8);
const ELSEWHERE = '127.0.0.103';

const requestPk = async (client: TestClient, id = ID): Promise<boolean | undefined> =>
  (await ask(client, { registerPeer: { id } })).registerPeerResponse?.requestPk;
const register = async (client: TestClient, id = ID, pk = PK, uuid = UUID): Promise<number | undefined> =>
  (await ask(client, { registerPk: { id, uuid, pk } })).registerPkResponse?.result;

describe('RegisterPeer', () => {
  it('with an empty id is ignored', async () => {
    await rig.start();
    const client = await rig.udp(B);
    say(client, { registerPeer: { id: '' } });
    await expectSilence(client);
  });

  it('asks an id that is not in memory for its key, whatever the database knows', async () => {
    await rig.start();
    const client = await rig.peer();
    expect(await requestPk(client)).toBe(false);
    await rig.restart();
    expect(await requestPk(client)).toBe(true);
    expect(await rig.refusal()).toBe(Failure.OFFLINE);
  });

  it('makes a peer reachable that somebody asked for since the restart, from its old address', async () => {
    await rig.start();
    const client = await rig.peer();
    await rig.restart();
    expect(await rig.refusal()).toBe(Failure.OFFLINE);
    expect(await requestPk(client)).toBe(false);
    await rig.punchFrom(A);
    expect((await receive(client)).union).toBe('punchHole');
  });

  it('follows the port of its address, and asks another address for the key without believing it', async () => {
    await rig.start();
    await rig.peer();
    const samePlace = await rig.udp(B);
    expect(await requestPk(samePlace)).toBe(false);
    await rig.punchFrom(A);
    expect((await receive(samePlace)).union).toBe('punchHole');
    // The rule of hbbs makes an exception for loopback sources; over real addresses it is tried in the NAT laboratory.
  });

  it('counts for 30 s', async () => {
    await rig.startVirtual();
    const client = await rig.peer();
    rig.clock.advance(15_000);
    expect(await requestPk(client)).toBe(false);
    rig.clock.advance(29_600);
    expect((await receive(await punchSent(client))).union).toBe('punchHole');
    rig.clock.advance(1_100);
    expect(await rig.refusal()).toBe(Failure.OFFLINE);
    const query = await rig.tcp(A, rig.server.ports.natTest);
    expect((await ask(query, { onlineRequest: { peers: [ID] } })).onlineResponse?.states).toEqual(new Uint8Array([0]));
  });

  async function punchSent(peer: TestClient): Promise<TestClient> {
    await rig.punchFrom(A);
    return peer;
  }

  it('of a lower serial is followed by the list of servers, where there is one', async () => {
    await rig.start({ serial: 7, rendezvousServers: ['203.0.113.10', '203.0.113.11'] });
    const client = await rig.peer();
    say(client, { registerPeer: { id: ID, serial: 3 } });
    expect((await receive(client)).union).toBe('registerPeerResponse');
    expect((await receive(client)).configureUpdate).toMatchObject({ serial: 7, rendezvousServers: ['203.0.113.10', '203.0.113.11'] });
    say(client, { registerPeer: { id: ID, serial: 7 } });
    expect((await receive(client)).union).toBe('registerPeerResponse');
    expect(client.inbox.size).toBe(0);
  });
});

describe('RegisterPk by UDP', () => {
  it('without a uuid or key is ignored', async () => {
    await rig.start();
    const client = await rig.udp(B);
    say(client, { registerPk: { id: ID, uuid: UUID } });
    say(client, { registerPk: { id: ID, pk: PK } });
    await expectSilence(client);
  });

  it('of an id below 6 bytes gets UUID_MISMATCH; 6 bytes of any kind pass', async () => {
    await rig.start();
    const client = await rig.udp(B);
    expect(await register(client, '12345')).toBe(Result.UUID_MISMATCH);
    for (const id of ['123456', 'äöü', 'a b/<>', 'x'.repeat(150)]) expect(await register(client, id)).toBe(Result.OK);
    expect(await register(client, 'shortkey', new Uint8Array(5).fill(1))).toBe(Result.OK);
  });

  it('answers OK as 3 bytes: no keep-alive', async () => {
    await rig.start();
    const client = await rig.udp(B);
    say(client, { registerPk: { id: ID, uuid: UUID, pk: PK } });
    expect(Buffer.from((await client.inbox.next()) ?? []).toString('hex')).toBe('820100');
  });

  it('makes a new peer reachable by itself, for 30 s', async () => {
    await rig.startVirtual();
    const client = await rig.peer();
    await rig.punchFrom(A);
    expect((await receive(client)).union).toBe('punchHole');
    rig.clock.advance(30_100);
    expect(await rig.refusal()).toBe(Failure.OFFLINE);
  });

  it('of a known id wants the same uuid, also after a restart', async () => {
    await rig.start();
    await rig.peer();
    const other = new Uint8Array(Buffer.from('another machine'));
    expect(await register(await rig.udp(B), ID, PK, other)).toBe(Result.UUID_MISMATCH);
    await rig.restart();
    expect(await register(await rig.udp(ELSEWHERE), ID, PK, other)).toBe(Result.UUID_MISMATCH);
  });

  it('may change the address or the key, but not both at once', async () => {
    await rig.start();
    await rig.peer();
    expect(await register(await rig.udp(ELSEWHERE), ID, OTHER_PK)).toBe(Result.UUID_MISMATCH);
    expect(await register(await rig.udp(ELSEWHERE))).toBe(Result.OK);
    const there = await rig.udp(ELSEWHERE);
    expect(await register(there, ID, OTHER_PK)).toBe(Result.OK);
    await rig.punchFrom(A);
    expect((await receive(there)).union).toBe('punchHole');
  });

  it('passes three times in quick succession, and again 6 s after the third, even under constant retries', async () => {
    await rig.startVirtual();
    const client = await rig.udp(B);
    for (let i = 0; i < 3; i++) expect(await register(client)).toBe(Result.OK);
    for (let i = 0; i < 5; i++) {
      expect(await register(client)).toBe(Result.TOO_FREQUENT);
      rig.clock.advance(1_100);
    }
    rig.clock.advance(600);
    for (let i = 0; i < 3; i++) expect(await register(client)).toBe(Result.OK);
  });

  it('ignores old_id', async () => {
    await rig.start();
    const client = await rig.peer();
    const reply = await ask(client, { registerPk: { id: 'newname1', uuid: UUID, pk: PK, oldId: ID } });
    expect(reply.registerPkResponse?.result).toBe(Result.OK);
    expect(await requestPk(client)).toBe(false);
  });
});

describe('many ids from one address', () => {
  it('are limited: 32 in a run, again 60 s after the last that counted', async () => {
    await rig.startVirtual();
    const client = await rig.udp(B);
    for (let i = 0; i < 32; i++) expect(await register(client, `crowd-${i}`)).toBe(Result.OK);
    expect(await register(client, 'crowd-32')).toBe(Result.TOO_FREQUENT);
    expect(await register(await rig.udp(ELSEWHERE), 'crowd-33')).toBe(Result.OK);
    rig.clock.advance(60_100);
    for (let i = 0; i < 31; i++) expect(await register(client, `again-${i}`)).toBe(Result.OK);
    expect(await register(client, 'again-31')).toBe(Result.TOO_FREQUENT);
  });

  it('do not lock out those who are known: all come back at once after a restart', async () => {
    await rig.start({ limits: { addressBurst: 300, addressIds: 300 } });
    const client = await rig.udp(B);
    for (let i = 0; i < 250; i++) expect(await register(client, `office-${i}`)).toBe(Result.OK);
    await rig.restart();
    for (let i = 0; i < 250; i++) expect(await register(client, `office-${i}`)).toBe(Result.OK);
    // They have not used up what newcomers behind the address may do.
    for (let i = 0; i < 32; i++) expect(await register(client, `newcomer-${i}`)).toBe(Result.OK);
    expect(await register(client, 'newcomer-32')).toBe(Result.TOO_FREQUENT);
  });

  it('do not push out others', async () => {
    await rig.start({ limits: { addressBurst: 1e9, addressIds: 1e9, maxPeersInMemory: 200 } });
    const b = await rig.peer();
    const flood = await rig.udp(ELSEWHERE);
    for (let i = 0; i < 1_000; i++) await register(flood, `flood-${i}`);
    expect(await requestPk(b)).toBe(false);
    await rig.punchFrom(A);
    expect((await receive(b)).union).toBe('punchHole');
    expect(rig.server.stats()['peersInMemory']).toBeLessThanOrEqual(200);
  });

  it('make room for others as soon as they are gone', async () => {
    await rig.startVirtual({ limits: { addressBurst: 1e9, addressIds: 1e9, maxPeersInMemory: 100 } });
    const flood = await rig.udp(ELSEWHERE);
    for (let i = 0; i < 100; i++) expect(await register(flood, `flood-${i}`)).toBe(Result.OK);
    const late = await rig.udp(B);
    expect(await register(late)).toBe(Result.TOO_FREQUENT);
    rig.clock.advance(30_100);
    expect(await register(late)).toBe(Result.OK);
  });
});

for (const kind of ['tcp', 'ws'] as const)
  describe(`registration over ${kind}`, () => {
    const open = (from: string): Promise<TestClient> => (kind === 'tcp' ? rig.tcp(from) : rig.ws(from));

    it('keeps the connection, tells the keep-alive and makes the peer reachable through it', async () => {
      await rig.startVirtual();
      const b = await open(B);
      const reply = await ask(b, { registerPk: { id: ID, uuid: UUID, pk: PK } });
      expect(reply.registerPkResponse).toMatchObject({ result: Result.OK, keepAlive: 60 });
      await rig.punchFrom(A);
      expect((await receive(b)).union).toBe('punchHole');
    });

    it('sends heartbeats, and lives as long as they are answered', async () => {
      await rig.startVirtual();
      const b = await open(B);
      await ask(b, { registerPk: { id: ID, uuid: UUID, pk: PK } });
      for (let i = 0; i < 5; i++) {
        rig.clock.advance(25_000);
        expect((await b.inbox.next())?.length).toBe(0);
        b.send(new Uint8Array());
        // Proof that the server has read the answer: it follows it on the same connection.
        await ask(b, { registerPk: { id: ID, uuid: UUID, pk: PK } });
      }
      rig.clock.advance(50_000);
      expect((await rig.refusal('nobody')) ?? 0).toBe(Failure.ID_NOT_EXIST);
      rig.clock.advance(26_000);
      while (await b.inbox.next());
      expect(await rig.refusal()).toBe(Failure.OFFLINE);
    });

    it('goes over to the newer registration, be it by UDP or by another connection', async () => {
      await rig.start();
      const first = await open(B);
      await ask(first, { registerPk: { id: ID, uuid: UUID, pk: PK } });
      const second = await open(B);
      await ask(second, { registerPk: { id: ID, uuid: UUID, pk: PK } });
      while (await first.inbox.next());
      const byUdp = await rig.udp(B);
      expect(await requestPk(byUdp)).toBe(true);
      expect(await register(byUdp)).toBe(Result.OK);
      while (await second.inbox.next());
      await rig.punchFrom(A);
      expect((await receive(byUdp)).union).toBe('punchHole');
    });

    it('is refused to another machine like over UDP', async () => {
      await rig.start();
      await rig.peer();
      const thief = await open(B);
      const reply = await ask(thief, { registerPk: { id: ID, uuid: new Uint8Array([1]), pk: PK } });
      expect(reply.registerPkResponse?.result).toBe(Result.UUID_MISMATCH);
    });
  });

it('OK means on disk: what was acknowledged is known to the next start', async () => {
  await rig.start();
  const client = await rig.udp(B);
  for (let i = 0; i < 20; i++) say(client, { registerPk: { id: `durable-${i}`, uuid: UUID, pk: PK } });
  for (let i = 0; i < 20; i++) await receive(client);
  await rig.restart();
  for (let i = 0; i < 20; i++) expect(await rig.refusal(`durable-${i}`)).toBe(Failure.OFFLINE);
});
