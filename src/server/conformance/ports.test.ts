/** Every row of the port table, and all that is to be ignored or closed without a word (rendezvous §1). */
import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { encodeRendezvous, type hbb, mangleAddress } from '../../core/wire/index.ts';
import {
  A,
  B,
  ask,
  expectClosed,
  expectSilence,
  expectSilentButOpen,
  ID,
  PK,
  receive,
  Result,
  Rig,
  say,
  STRANGER,
  UUID,
  VERSION,
} from './rig.ts';

const rig = Rig.forEachTest();

const NAMED = mangleAddress({ host: A, port: 5000 }, 1);
const KEY = new Uint8Array(32).fill(0x6b);

/** Served nowhere, whoever sends it. */
const NEVER: Record<string, hbb.IRendezvousMessage> = {
  registerPeerResponse: { registerPeerResponse: {} },
  punchHole: { punchHole: { socketAddr: NAMED } },
  punchHoleResponse: { punchHoleResponse: { socketAddr: NAMED } },
  fetchLocalAddr: { fetchLocalAddr: { socketAddr: NAMED } },
  registerPkResponse: { registerPkResponse: {} },
  testNatResponse: { testNatResponse: { port: 1 } },
  onlineResponse: { onlineResponse: { states: KEY } },
  keyExchange: { keyExchange: { keys: [KEY, new Uint8Array(48).fill(0x7a)] } },
  healthCheck: { hc: { token: 't' } },
  httpProxyRequest: { httpProxyRequest: { method: 'GET', path: '/' } },
  httpProxyResponse: { httpProxyResponse: { status: 200 } },
  peerDiscovery: { peerDiscovery: { cmd: 'ping' } },
};
/** Served, but not here. */
const FOR_TCP: Record<string, hbb.IRendezvousMessage> = {
  localAddr: { localAddr: { socketAddr: NAMED, localAddr: NAMED, id: ID, version: VERSION } },
  requestRelay: { requestRelay: { id: ID, uuid: 'u' } },
  relayResponse: { relayResponse: { socketAddr: NAMED, uuid: 'u', id: ID } },
  onlineRequest: { onlineRequest: { id: 'x', peers: [ID] } },
};

describe('UDP P', () => {
  it('serves RegisterPeer and RegisterPk', async () => {
    await rig.start();
    const client = await rig.udp(B);
    expect((await ask(client, { registerPeer: { id: ID } })).registerPeerResponse?.requestPk).toBe(true);
    expect((await ask(client, { registerPk: { id: ID, uuid: UUID, pk: PK } })).registerPkResponse?.result).toBe(Result.OK);
    expect((await ask(client, { registerPeer: { id: ID } })).registerPeerResponse?.requestPk).toBe(false);
  });

  it('drops everything else, also for a registered peer', async () => {
    await rig.start();
    const peer = await rig.peer();
    const stranger = await rig.udp(STRANGER);
    for (const client of [peer, stranger]) {
      for (const message of [...Object.values(NEVER), ...Object.values(FOR_TCP), rig.punch()]) say(client, message);
      say(client, { punchHoleSent: { socketAddr: NAMED, id: ID, version: VERSION } });
      await expectSilence(client);
    }
  });

  it('drops garbage, truncated and empty datagrams, and tolerates unknown fields', async () => {
    await rig.start();
    const client = await rig.udp(B);
    const whole = encodeRendezvous({ registerPk: { id: ID, uuid: UUID, pk: PK } });
    client.send(new Uint8Array());
    client.send(new Uint8Array([0xff, 0xff, 0xff]));
    client.send(whole.subarray(0, whole.length - 5));
    client.send(new Uint8Array(1400).fill(0x32));
    await expectSilence(client);
    // RegisterPeer with a field 99 in it.
    client.send(new Uint8Array(Buffer.from('32120a0931323334353637383910039a06026869', 'hex')));
    expect((await receive(client)).union).toBe('registerPeerResponse');
  });

  it('takes ConfigUpdate from loopback only where the list is used, with a higher serial', async () => {
    await rig.start({ serial: 7, rendezvousServers: ['203.0.113.10'] });
    const local = await rig.udp(B);
    for (const serial of [6, 7]) say(local, { configureUpdate: { serial, rendezvousServers: ['203.0.113.66'] } });
    say(local, { configureUpdate: { serial: 8, rendezvousServers: ['203.0.113.11', ''] } });
    await expectSilence(local);
    const cu = (await ask(await rig.tcp(A), { testNatRequest: { serial: 7 } })).testNatResponse?.cu;
    expect(cu).toMatchObject({ serial: 8, rendezvousServers: ['203.0.113.11'] });
    await rig.restart();
    say(await rig.udp(B), { configureUpdate: { serial: 99, rendezvousServers: ['203.0.113.66'] } });
    expect((await ask(await rig.tcp(A), { testNatRequest: {} })).testNatResponse?.cu ?? null).toBeNull();
  });
});

for (const kind of ['tcp', 'ws'] as const) {
  const open = (from: string): Promise<Awaited<ReturnType<Rig['tcp']>>> => (kind === 'tcp' ? rig.tcp(from) : rig.ws(from));

  describe(kind === 'tcp' ? 'TCP P' : 'WebSocket P+2', () => {
    it('serves PunchHoleRequest and RequestRelay and goes on reading', async () => {
      await rig.start();
      const client = await open(A);
      for (let i = 0; i < 2; i++) {
        say(client, { requestRelay: { id: ID, uuid: 'u' } });
        expect((await ask(client, rig.punch())).punchHoleResponse?.failure).toBe(0);
      }
      expect(client.inbox.closed).toBe(false);
    });

    it('closes a connection that asked for somebody and then sends something else', async () => {
      await rig.start();
      await rig.peer();
      const client = await open(A);
      say(client, rig.punch());
      say(client, { testNatRequest: {} });
      await expectClosed(client);
    });

    it('answers TestNatRequest and closes', async () => {
      await rig.start();
      const client = await open(A);
      const reply = await ask(client, { testNatRequest: { serial: 3 } });
      if (kind === 'tcp') expect(reply.testNatResponse?.port).toBe(client.localPort);
      else expect(reply.testNatResponse?.port).toBeGreaterThan(0);
      await expectClosed(client);
    });

    it('registers with RegisterPk, where hbbs says NOT_SUPPORT', async () => {
      await rig.start();
      const client = await open(B);
      expect((await ask(client, { registerPk: { id: ID, uuid: UUID, pk: PK } })).registerPkResponse?.result).toBe(Result.OK);
      const unfit = await open(B);
      say(unfit, { registerPk: { id: ID } });
      await expectClosed(unfit);
    });

    it('closes without a word on answers that nobody waits for', async () => {
      await rig.start();
      await rig.peer();
      const { localAddr, relayResponse } = FOR_TCP;
      const punchHoleSent = { punchHoleSent: { socketAddr: NAMED, id: ID, version: VERSION } };
      for (const message of [localAddr, relayResponse, punchHoleSent]) {
        const client = await open(B);
        say(client, message ?? {});
        await expectClosed(client);
      }
    });

    it('closes without a word on everything else', async () => {
      await rig.start();
      await rig.peer();
      const others: hbb.IRendezvousMessage[] = [
        ...Object.values(NEVER),
        { registerPeer: { id: ID } },
        { onlineRequest: { id: 'm', peers: [ID] } },
        { softwareUpdate: {} },
        { configureUpdate: { serial: 99 } },
        {},
      ];
      for (const message of others) {
        const client = await open(A);
        say(client, message);
        await expectClosed(client);
      }
      const garbage = await open(A);
      garbage.send(new Uint8Array([0xff, 0xff, 0xff]));
      await expectClosed(garbage);
    });

    it('says nothing to RequestRelay for an unknown id, and stays', async () => {
      await rig.start();
      const client = await open(A);
      say(client, { requestRelay: { id: 'nobody-knows', uuid: 'u' } });
      await expectSilentButOpen(client, rig.server.publicKey);
    });
  });
}

describe('TCP P-1', () => {
  const open = (): ReturnType<Rig['tcp']> => rig.tcp(A, rig.server.ports.natTest);

  it('answers one TestNatRequest, without the list of servers, and closes', async () => {
    await rig.start({ serial: 7, rendezvousServers: ['203.0.113.10'] });
    const client = await open();
    const reply = await ask(client, { testNatRequest: { serial: 3 } });
    expect(reply.testNatResponse?.port).toBe(client.localPort);
    expect(reply.testNatResponse?.cu ?? null).toBeNull();
    await expectClosed(client);
  });

  it('closes without a word on every other message', async () => {
    await rig.start();
    await rig.peer();
    const others = [
      ...Object.values(NEVER),
      rig.punch(),
      { registerPk: { id: ID, uuid: UUID, pk: PK } },
      { registerPeer: { id: ID } },
      FOR_TCP['requestRelay'] ?? {},
      FOR_TCP['localAddr'] ?? {},
      FOR_TCP['relayResponse'] ?? {},
      {},
    ];
    for (const message of others) {
      const client = await open();
      say(client, message);
      await expectClosed(client);
    }
  });

  it('has no console for loopback', async () => {
    await rig.start();
    const client = await rig.tcp('127.0.0.1', rig.server.ports.natTest);
    client.sendRaw(Buffer.from('h'));
    client.end();
    await expectClosed(client);
  });
});

describe('relay ports', () => {
  it('close at once on anything but a RequestRelay with a uuid and the key', async () => {
    await rig.start();
    const { relay, relayWs } = rig.server.ports;
    const licenceKey = rig.server.publicKey;
    const wrong: hbb.IRendezvousMessage[] = [
      { requestRelay: { uuid: '', licenceKey } },
      { requestRelay: { uuid: 'u', licenceKey: 'another' } },
      { requestRelay: { uuid: 'u' } },
      { testNatRequest: {} },
      {},
    ];
    for (const message of wrong) {
      const tcp = await rig.tcp(A, relay);
      say(tcp, message);
      await expectClosed(tcp);
      const ws = await rig.ws(A, { port: relayWs });
      say(ws, message);
      await expectClosed(ws);
    }
  });
});

it('answers what is no WebSocket on P+2 and Q+2 with HTTP, not with messages', async () => {
  await rig.start();
  for (const port of [rig.server.ports.ws, rig.server.ports.relayWs]) {
    const status = await new Promise<number | undefined>((resolve, reject) =>
      request({ host: '127.0.0.1', port, path: '/' }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on('error', reject)
        .end(),
    );
    expect(status).toBeGreaterThanOrEqual(400);
  }
});
