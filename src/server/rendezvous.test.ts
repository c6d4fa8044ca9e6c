/** Our own rules over real sockets: who may register, who may answer, and what is passed on. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { clientKeyExchange, openIdPk, SealedStream } from '../core/crypto/index.ts';
import {
  decodeRendezvous,
  encodeRendezvous,
  hbb,
  mangleAddress,
  unmangleAddress,
} from '../core/wire/index.ts';
import { type ServerOptions, startServer } from './index.ts';
import { JournalStore } from './journal-store.ts';
import { A, B, STRANGER, ServerUnderTest } from './test-server.ts';
import { ask, nextMessage, type TestClient } from './test-wire.ts';

const Result = hbb.RegisterPkResponse.Result;
const ID = '123456789';
const UUID = new Uint8Array(Buffer.from('a machine'));
const PK = new Uint8Array(32).fill(7);

const rig = new ServerUnderTest();

const registerPk = (id = ID): hbb.IRendezvousMessage => ({ registerPk: { id, uuid: UUID, pk: PK } });
const punch = (more: hbb.IPunchHoleRequest = {}): hbb.IRendezvousMessage => ({
  punchHoleRequest: { id: ID, licenceKey: rig.server.publicKey, natType: hbb.NatType.ASYMMETRIC, ...more },
});
/** Nothing came before the answer to this: proof of silence without waiting. */
async function expectSilence(client: TestClient): Promise<void> {
  const reply = await ask(client, { registerPeer: { id: 'nobody-knows' } });
  expect(reply?.registerPeerResponse?.requestPk).toBe(true);
}

describe('registration', () => {
  it('over UDP survives a restart, and RegisterPk then makes the peer reachable at once', async () => {
    await rig.start();
    const b = await rig.udp(B);
    expect((await ask(b, registerPk()))?.registerPkResponse?.result).toBe(Result.OK);
    const { ports, publicKey } = rig.server;
    await rig.server.close();
    await rig.start({ ports });
    expect(rig.server.publicKey).toBe(publicKey);
    expect((await ask(await rig.tcp(A), punch()))?.punchHoleResponse?.failure).toBe(
      hbb.PunchHoleResponse.Failure.OFFLINE,
    );
    expect((await ask(b, registerPk()))?.registerPkResponse?.result).toBe(Result.OK);
    (await rig.tcp(A)).send(encodeRendezvous(punch()));
    expect((await nextMessage(b))?.union).toBe('punchHole');
  });

  it('refuses another machine for a known id, also after a restart with the journal', async () => {
    await rig.start({ store: new JournalStore(join(rig.dir, 'peers.journal'), 100) });
    await ask(await rig.udp(B), registerPk());
    const { ports } = rig.server;
    await rig.server.close();
    await rig.start({ ports, store: new JournalStore(join(rig.dir, 'peers.journal'), 100) });
    const reply = await ask(await rig.udp(B), { registerPk: { id: ID, uuid: new Uint8Array([1]), pk: PK } });
    expect(reply?.registerPkResponse?.result).toBe(Result.UUID_MISMATCH);
  });

  it('says SERVER_ERROR when the disk refuses, and does not know the id afterwards', async () => {
    const broken = { kind: 'broken', get: () => null, count: () => 0, close() {} };
    await rig.start({ store: { ...broken, save: (_row, done) => done(new Error('disk full')) } });
    expect((await ask(await rig.udp(B), registerPk()))?.registerPkResponse?.result).toBe(Result.SERVER_ERROR);
    expect((await ask(await rig.tcp(A), punch()))?.punchHoleResponse?.failure).toBe(
      hbb.PunchHoleResponse.Failure.ID_NOT_EXIST,
    );
  });

  for (const kind of ['tcp', 'ws'] as const)
    it(`over ${kind} keeps the connection as presence, with heartbeats, and pushes over it`, async () => {
      await rig.start({ limits: { heartbeatMs: 20 } });
      const b = kind === 'tcp' ? await rig.tcp(B) : await rig.ws(B);
      const reply = await ask(b, registerPk());
      expect(reply?.registerPkResponse).toMatchObject({ result: Result.OK, keepAlive: 60 });
      expect((await b.inbox.next())?.length).toBe(0);
      b.send(new Uint8Array(0));
      const a = await rig.tcp(A);
      a.send(encodeRendezvous(punch({ forceRelay: true })));
      let pushed: hbb.RendezvousMessage | null;
      do pushed = await nextMessage(b);
      while (pushed?.union === undefined);
      expect(pushed.punchHole?.forceRelay).toBe(true);
      // The way back: a new connection, as B has it.
      const { socketAddr } = pushed.punchHole ?? {};
      (await rig.tcp(B)).send(
        encodeRendezvous({ relayResponse: { socketAddr, id: ID, uuid: 'u', version: '1' } }),
      );
      const answer = await nextMessage(a);
      expect(answer?.relayResponse?.uuid).toBe('u');
      const key = new Uint8Array(Buffer.from(rig.server.publicKey, 'base64'));
      expect(openIdPk(answer?.relayResponse?.pk ?? new Uint8Array(), key)?.id).toBe(ID);
      b.end();
      while (await b.inbox.next());
      expect((await ask(await rig.tcp(A), punch()))?.punchHoleResponse?.failure).toBe(
        hbb.PunchHoleResponse.Failure.OFFLINE,
      );
    });

  it('offers the key exchange to a silent client only, and talks sealed from then on', async () => {
    await rig.start();
    const b = await rig.tcp(B);
    const greeting = await nextMessage(b);
    const key = new Uint8Array(Buffer.from(rig.server.publicKey, 'base64'));
    const exchange = clientKeyExchange(greeting?.keyExchange ?? {}, key);
    if (!exchange) throw new Error('the greeting is not signed by the server');
    b.send(exchange.answer);
    const sealed = new SealedStream(exchange.sessionKey);
    b.send(sealed.seal(encodeRendezvous(registerPk())));
    const reply = decodeRendezvous(sealed.open((await b.inbox.next()) ?? new Uint8Array()));
    expect(reply.registerPkResponse?.result).toBe(Result.OK);
  });
});

describe('introduction', () => {
  let b: TestClient;
  let a: TestClient;
  async function introduce(
    more: hbb.IPunchHoleRequest = {},
    options: Partial<ServerOptions> = {},
  ): Promise<hbb.IPunchHole> {
    await rig.start(options);
    b = await rig.udp(B);
    await ask(b, registerPk());
    a = await rig.tcp(A);
    a.send(encodeRendezvous(punch(more)));
    const push = await nextMessage(b);
    expect(push?.union).toBe('punchHole');
    return push?.punchHole ?? {};
  }
  const sent = (socketAddr: Uint8Array | null | undefined, id = ID): Uint8Array =>
    encodeRendezvous({
      punchHoleSent: { socketAddr, id, version: '1', relayServer: 'r', natType: hbb.NatType.ASYMMETRIC },
    });

  it('passes on the UDP port, and takes the UDP answer of the peer that was asked, once', async () => {
    const push = await introduce({ udpPort: 40_000 });
    expect(push.udpPort).toBe(40_000);
    expect(unmangleAddress(push.socketAddr ?? new Uint8Array())).toEqual({ host: A, port: a.localPort });
    const x = await rig.udp(B);
    for (let i = 0; i < 3; i++) x.send(sent(push.socketAddr));
    const answer = await nextMessage(a);
    expect(answer?.punchHoleResponse).toMatchObject({ isUdp: true, relayServer: 'r' });
    expect(unmangleAddress(answer?.punchHoleResponse?.socketAddr ?? new Uint8Array())).toEqual({
      host: B,
      port: x.localPort,
    });
    await expectSilence(x);
    expect(a.inbox.size).toBe(0);
  });

  it('does not take answers of strangers who guess address and id', async () => {
    const push = await introduce({ udpPort: 40_000 });
    const guess = mangleAddress({ host: A, port: a.localPort }, 1);
    const stranger = await rig.udp(STRANGER);
    stranger.send(sent(guess));
    await expectSilence(stranger);
    const byTcp = await rig.tcp(STRANGER);
    byTcp.send(sent(guess));
    expect(await byTcp.inbox.next()).toBeNull();
    const relay = await rig.tcp(STRANGER);
    relay.send(
      encodeRendezvous({
        relayResponse: { socketAddr: guess, id: ID, uuid: 'evil', relayServer: 'evil', version: '1' },
      }),
    );
    expect(await relay.inbox.next()).toBeNull();
    expect(a.inbox.size).toBe(0);
    expect(rig.server.stats()['answer-unasked']).toBe(3);
    // The peer itself still can, from its own address and even with the address encoded anew.
    (await rig.tcp(B)).send(sent(guess));
    expect((await nextMessage(a))?.punchHoleResponse?.relayServer).toBe('r');
    expect(push.natType).toBe(hbb.NatType.ASYMMETRIC);
  });

  it('takes an answer from another address of the peer when it brings back what only the peer was told', async () => {
    const push = await introduce();
    (await rig.tcp('127.0.0.103')).send(sent(push.socketAddr));
    expect((await nextMessage(a))?.punchHoleResponse?.socketAddr?.length).toBeGreaterThan(0);
  });

  it('does not take an answer for another id, nor by UDP when no UDP port was offered', async () => {
    const push = await introduce();
    const x = await rig.udp(B);
    x.send(sent(push.socketAddr));
    x.send(sent(push.socketAddr, 'other-id'));
    await expectSilence(x);
    expect(a.inbox.size).toBe(0);
  });

  it('serves many requests of one connection', async () => {
    await introduce();
    for (let round = 0; round < 3; round++) {
      if (round > 0) {
        a.send(encodeRendezvous(punch()));
        await nextMessage(b);
      }
      a.send(encodeRendezvous(punch({ id: 'unknown-id' })));
      expect((await nextMessage(a))?.punchHoleResponse?.failure).toBe(
        hbb.PunchHoleResponse.Failure.ID_NOT_EXIST,
      );
    }
    a.send(encodeRendezvous(punch()));
    const push = await nextMessage(b);
    (await rig.tcp(B)).send(sent(push?.punchHole?.socketAddr));
    expect((await nextMessage(a))?.union).toBe('punchHoleResponse');
  });

  it('answers one of two UDP NAT tests sent at once, where somebody has connected from', async () => {
    await rig.start();
    await ask(await rig.tcp(A), { testNatRequest: {} });
    const client = await rig.udp(A);
    for (let i = 0; i < 2; i++) client.send(encodeRendezvous({ testNatRequest: {} }));
    expect((await nextMessage(client))?.testNatResponse?.port).toBe(client.localPort);
    await expectSilence(client);
  });

  it('answers the third copy of a stranger, and one that is as long as its answer at once', async () => {
    await rig.start();
    const client = await rig.udp(STRANGER);
    for (let i = 0; i < 2; i++) client.send(encodeRendezvous({ testNatRequest: {} }));
    client.send(encodeRendezvous({ testNatRequest: {} }));
    expect((await nextMessage(client))?.testNatResponse?.port).toBe(client.localPort);
    const padded = await rig.udp('127.0.0.67');
    padded.send(encodeRendezvous({ testNatRequest: { serial: -1 } }));
    expect((await nextMessage(padded))?.testNatResponse?.port).toBe(padded.localPort);
  });

  it('names the built-in relay where it is not on the usual port', async () => {
    await rig.start();
    const { ports } = rig.server;
    await rig.server.close();
    await rig.start({ ports: { ...ports, relay: ports.relayWs, relayWs: 0 } });
    b = await rig.udp(B);
    await ask(b, registerPk());
    (await rig.tcp(A)).send(encodeRendezvous(punch()));
    expect((await nextMessage(b))?.punchHole?.relayServer).toBe(`127.0.0.1:${ports.relayWs}`);
  });
});

it('keeps the secret key to itself and says when a port is taken', async () => {
  await rig.start();
  expect(statSync(join(rig.dir, 'id_ed25519')).mode & 0o777).toBe(0o600);
  await expect(startServer({ dataDir: rig.dir, ports: rig.server.ports })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    stage: 'server',
  });
});

it('cuts a client that never completes a frame', async () => {
  await rig.start({ limits: { frameTimeoutMs: 50, handshakeTimeoutMs: 50 } });
  const { rendezvous, natTest, relay, ws: wsPort, relayWs } = rig.server.ports;
  for (const port of [rendezvous, natTest, relay, wsPort, relayWs]) {
    const client = await rig.tcp(A, port);
    client.sendRaw(new Uint8Array([0xff, 0xff]));
    while (await client.inbox.next());
  }
});
