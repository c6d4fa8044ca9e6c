/** Whole servers over real sockets that share a real Redis. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../../test/lib/ports.ts';
import { initCrypto, signKeyPair } from '../../core/crypto/index.ts';
import { encodeRendezvous, hbb } from '../../core/wire/index.ts';
import { type RunningServer, type ServerOptions, startServer } from '../index.ts';
import { ask, nextMessage, type TestClient, tcpClient, udpClient } from '../test-wire.ts';
import { redisUnavailable, TestRedis } from './test-redis.ts';

const Result = hbb.RegisterPkResponse.Result;
const ID = '123456789';
const A = '127.0.0.101';
const B = '127.0.0.102';
const registerPk = { registerPk: { id: ID, uuid: new Uint8Array([1]), pk: new Uint8Array(32).fill(7) } };

describe.skipIf(redisUnavailable() !== null)('servers that share Redis', () => {
  let redis: TestRedis;
  let dir: string;
  let secret: string;
  let servers: RunningServer[];
  let clients: TestClient[];

  beforeEach(async () => {
    await initCrypto();
    redis = await TestRedis.start();
    dir = mkdtempSync(join(tmpdir(), 'litedesk-nodes-'));
    secret = Buffer.from(signKeyPair().secretKey).toString('base64');
    servers = [];
    clients = [];
  });
  afterEach(async () => {
    for (const client of clients) client.destroy();
    for (const server of servers) await server.close();
    await redis.close();
    rmSync(dir, { recursive: true });
  });

  async function start(name: string, options: Partial<ServerOptions> = {}): Promise<RunningServer> {
    const dataDir = join(dir, name);
    mkdirSync(dataDir);
    writeFileSync(join(dataDir, 'id_ed25519'), secret, { mode: 0o600 });
    const server = await startServer({ dataDir, ports: { rendezvous: -1 }, storeUrl: redis.url, ...options });
    servers.push(server);
    return server;
  }
  const track = (client: TestClient): TestClient => {
    clients.push(client);
    return client;
  };

  it('introduce each other’s peers, and send both to one relay that has announced itself', async () => {
    const one = await start('one', { ports: { rendezvous: -1, relay: 0 } });
    const two = await start('two', { ports: { rendezvous: -1, relay: 0 } });
    const relay = await start('relay', { relayOnly: true, ports: { rendezvous: await freePorts(5) } });
    expect((await relay.ready()).ok).toBe(true);
    const b = track(await udpClient(two.ports.rendezvous, B));
    expect((await ask(b, registerPk))?.registerPkResponse?.result).toBe(Result.OK);
    const a = track(await tcpClient(one.ports.rendezvous, A));
    a.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: one.publicKey, natType: hbb.NatType.SYMMETRIC } }));
    const hole = (await nextMessage(b))?.punchHole;
    expect(hole?.relayServer).toMatch(new RegExp(`:${relay.ports.relay}$`));
    const answering = track(await tcpClient(one.ports.rendezvous, B));
    answering.send(
      encodeRendezvous({
        relayResponse: {
          ...{ socketAddr: hole?.socketAddr ?? null, relayServer: hole?.relayServer ?? null },
          ...{ uuid: 'a-uuid', id: ID, version: '1.4' },
        },
      }),
    );
    const response = (await nextMessage(a))?.relayResponse;
    expect(response).toMatchObject({ relayServer: hole?.relayServer, uuid: 'a-uuid' });
    expect(response?.pk?.length).toBeGreaterThan(64);
    // The relay, a process of its own, knows that this uuid was introduced, and no other.
    const ends = [track(await tcpClient(relay.ports.relay, A)), track(await tcpClient(relay.ports.relay, B))] as const;
    for (const end of ends) end.send(encodeRendezvous({ requestRelay: { uuid: 'a-uuid', licenceKey: relay.publicKey } }));
    ends[0].send(Buffer.from('through'));
    expect(Buffer.from((await ends[1].inbox.next()) ?? []).toString()).toBe('through');
    expect(relay.stats()['relayPairs']).toBe(1);
  });

  it('name their relays to who wants to measure them, and send a session to the one that is near', async () => {
    const one = await start('one', { ports: { rendezvous: -1, relay: 0 } });
    for (const name of ['relay1', 'relay2'])
      await start(name, { relayOnly: true, relayAddress: name, ports: { rendezvous: await freePorts(5) } });
    const b = track(await udpClient(one.ports.rendezvous, B));
    await ask(b, registerPk);
    const test = await ask(track(await tcpClient(one.ports.rendezvous, A)), { testNatRequest: { wantRelays: true } });
    expect(new Set(test?.testNatResponse?.relays)).toEqual(new Set(['relay1', 'relay2']));
    expect((await ask(track(await tcpClient(one.ports.rendezvous, A)), { testNatRequest: {} }))?.testNatResponse?.relays).toEqual([]);
    for (const near of ['relay1', 'relay2', 'relay1']) {
      const relayLatency = ['relay1', 'relay2'].map((address) => ({ address, ms: address === near ? 5 : 90 }));
      track(await tcpClient(one.ports.rendezvous, A)).send(
        encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: one.publicKey, relayLatency } }),
      );
      expect((await nextMessage(b))?.punchHole?.relayServer).toBe(near);
    }
  });

  it('know all peers after a restart, and one id belongs to one machine everywhere', async () => {
    const one = await start('one');
    await ask(track(await udpClient(one.ports.rendezvous, B)), registerPk);
    await servers.pop()?.close();
    const two = await start('two');
    const other = { registerPk: { ...registerPk.registerPk, uuid: new Uint8Array([2]) } };
    expect((await ask(track(await udpClient(two.ports.rendezvous, A)), other))?.registerPkResponse?.result).toBe(Result.UUID_MISMATCH);
    const punch = { punchHoleRequest: { id: ID, licenceKey: two.publicKey } };
    const refused = await ask(track(await tcpClient(two.ports.rendezvous, A)), punch);
    expect(refused?.punchHoleResponse?.failure).toBe(hbb.PunchHoleResponse.Failure.OFFLINE);
  });

  it('must have one key, and Redis must be there', async () => {
    await start('one');
    secret = Buffer.from(signKeyPair().secretKey).toString('base64');
    await expect(start('two')).rejects.toMatchObject({ code: 'NODE_KEYS_DIFFER' });
    await expect(start('three', { storeUrl: 'redis://:hidden@127.0.0.1:1' })).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  });

  it('never acknowledge a registration that is not in Redis', async () => {
    const one = await start('one', { limits: { directoryHoldMs: 100 } });
    await redis.kill();
    const b = track(await udpClient(one.ports.rendezvous, B));
    expect((await ask(b, registerPk))?.registerPkResponse?.result).toBe(Result.SERVER_ERROR);
    await redis.start();
    let result: unknown;
    while (result !== Result.OK) result = (await ask(b, registerPk))?.registerPkResponse?.result;
    expect((await ask(track(await tcpClient(one.ports.natTest, A)), { onlineRequest: { id: 'x', peers: [ID] } }))?.onlineResponse?.states).toEqual(
      new Uint8Array([0x80]),
    );
  });
});
