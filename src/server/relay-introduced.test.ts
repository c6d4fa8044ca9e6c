/** The relay joins what the rendezvous introduced, in every order, and nothing else. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { until } from '../../test/lib/until.ts';
import { encodeFrame, encodeRendezvous, hbb } from '../core/wire/index.ts';
import { type RunningServer, startServer } from './index.ts';
import { A, B, STRANGER, ServerUnderTest, closed } from './test-server.ts';
import { receive, type TestClient, tcpClient, udpClient, wsClient } from './test-wire.ts';
import { CONTROLLED, CONTROLLER, sealTicket, type TicketSide } from './tickets.ts';

const ID = '123456789';

const rig = new ServerUnderTest();

/** B as a registered peer. */
async function registered(): Promise<TestClient> {
  const b = rig.track(await udpClient(rig.server.ports.rendezvous, B));
  b.send(
    encodeRendezvous({
      registerPk: { id: ID, uuid: new Uint8Array(8).fill(1), pk: new Uint8Array(32).fill(7) },
    }),
  );
  expect((await receive(b)).registerPkResponse?.result).toBe(hbb.RegisterPkResponse.Result.OK);
  return b;
}
const named = (uuid: string, ticket?: Uint8Array): Uint8Array =>
  encodeRendezvous({
    requestRelay: { uuid, licenceKey: rig.server.publicKey, ...(ticket ? { relayTicket: ticket } : {}) },
  });
async function joinTcp(from: string, uuid: string, early = '', ticket?: Uint8Array): Promise<TestClient> {
  const client = await rig.tcp(from, rig.server.ports.relay, true);
  client.sendRaw(Buffer.concat([encodeFrame(named(uuid, ticket)), Buffer.from(early)]));
  return client;
}
async function joinWs(from: string, uuid: string): Promise<TestClient> {
  const client = rig.track(await wsClient(rig.server.ports.relayWs, { localAddress: from }));
  client.send(named(uuid));
  return client;
}
async function talk(a: TestClient, b: TestClient): Promise<void> {
  a.sendRaw(Buffer.from('to-b'));
  expect(String(await b.inbox.next())).toBe('to-b');
  b.sendRaw(Buffer.from('to-a'));
  expect(String(await a.inbox.next())).toBe('to-a');
}
/** A asks for a relay under `uuid`, as a stock controller does; resolves when A has B's yes, or B the question. */
async function askForRelay(b: TestClient, uuid: string, agrees = true): Promise<void> {
  const a = await rig.tcp(A);
  a.send(encodeRendezvous({ requestRelay: { id: ID, uuid, secure: true } }));
  const push = (await receive(b)).requestRelay;
  expect(push?.uuid).toBe(uuid);
  if (!agrees) return;
  const answer = await rig.tcp(B);
  answer.send(
    encodeRendezvous({ relayResponse: { socketAddr: push?.socketAddr as Uint8Array, version: '1.4.6' } }),
  );
  expect((await receive(a)).union).toBe('relayResponse');
}
/** B proposes a relay under `uuid` in answer to A's punch; resolves when A has it. */
async function proposeRelay(
  b: TestClient,
  uuid: string,
  before: () => Promise<void> = async () => {},
): Promise<void> {
  const a = await rig.tcp(A);
  const natType = hbb.NatType.SYMMETRIC;
  a.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: rig.server.publicKey, natType } }));
  const push = await receive(b);
  await before();
  const answer = await rig.tcp(B);
  const { socketAddr } = push.punchHole ?? {};
  answer.send(
    encodeRendezvous({
      relayResponse: { socketAddr: socketAddr as Uint8Array, uuid, id: ID, version: '1.4.6' },
    }),
  );
  expect((await receive(a)).relayResponse?.uuid).toBe(uuid);
}

describe('a uuid that passed through the rendezvous', () => {
  it.each([
    ['the controller first', [A, B]],
    ['the controlled side first', [B, A]],
  ] as const)('pairs when A asked: %s', async (_name, [first, second]) => {
    await rig.start();
    const b = await registered();
    const uuid = randomUUID();
    await askForRelay(b, uuid);
    await talk(await joinTcp(first, uuid), await joinTcp(second, uuid));
  });

  it.each([
    ['TCP and WebSocket', 'tcp'],
    ['both WebSocket', 'ws'],
  ] as const)('pairs %s', async (_name, kind) => {
    await rig.start();
    const b = await registered();
    const uuid = randomUUID();
    await askForRelay(b, uuid);
    const one = await joinWs(A, uuid);
    const other =
      kind === 'ws' ? await joinWs(B, uuid) : rig.track(await tcpClient(rig.server.ports.relay, B));
    if (kind === 'tcp') other.send(named(uuid));
    other.send(Buffer.from('hello'));
    expect(String(await one.inbox.next())).toBe('hello');
    one.send(Buffer.from('you'));
    expect(Buffer.from((await other.inbox.next()) ?? []).toString()).toBe('you');
  });

  it('pairs when B is at the relay before its RelayResponse is at the rendezvous', async () => {
    await rig.start();
    const b = await registered();
    const uuid = randomUUID();
    let early: TestClient | undefined;
    await proposeRelay(b, uuid, async () => {
      early = await joinTcp(B, uuid, 'first words');
      await until(() => rig.server.stats().relayHeld === 1);
    });
    const a = await joinTcp(A, uuid);
    expect(String(await a.inbox.next())).toBe('first words');
    await talk(a, early as TestClient);
  });

  it('is good for one pair: a third and fourth do not get one', async () => {
    await rig.start({ limits: { relayHeldMs: 100 } });
    const b = await registered();
    const uuid = randomUUID();
    await askForRelay(b, uuid);
    await talk(await joinTcp(A, uuid), await joinTcp(B, uuid));
    const more = [await joinTcp(A, uuid), await joinTcp(B, uuid)];
    for (const client of more) await closed(client);
    expect(rig.server.stats().relayPairs).toBe(1);
  });

  it('prefers the two addresses that were introduced to a stranger who knows the uuid', async () => {
    await rig.start();
    const b = await registered();
    const uuid = randomUUID();
    await askForRelay(b, uuid);
    const stranger = await joinTcp(STRANGER, uuid);
    await until(() => rig.server.stats().relayWaiting === 1);
    const a = await joinTcp(A, uuid);
    await until(() => rig.server.stats().relayWaiting === 2);
    await talk(a, await joinTcp(B, uuid));
    await closed(stranger);
  });

  it('pairs the two that were asked for before B has said yes, but nobody else in its place', async () => {
    await rig.start({ limits: { relayStrangerMs: 10, relayWaitMs: 300 } });
    const b = await registered();
    const [uuid, other] = [randomUUID(), randomUUID()];
    await askForRelay(b, uuid, false);
    await talk(await joinTcp(A, uuid), await joinTcp(B, uuid));
    await askForRelay(b, other, false);
    const [a, accomplice] = [await joinTcp(A, other), await joinTcp(STRANGER, other)];
    await Promise.all([closed(a), closed(accomplice)]);
    expect(rig.server.stats().relayPairs).toBe(1);
  });

  it('pairs an end that came by another address, when the expected one stays away', async () => {
    await rig.start({ limits: { relayStrangerMs: 50 } });
    const b = await registered();
    const uuid = randomUUID();
    await askForRelay(b, uuid);
    await talk(await joinTcp(A, uuid), await joinTcp('127.0.0.77', uuid));
  });
});

describe('a uuid that nobody introduced', () => {
  it('never pairs, and is cut after a while', async () => {
    await rig.start({ limits: { relayHeldMs: 100 } });
    const uuid = randomUUID();
    const [a, b] = [await joinTcp(A, uuid, 'x'), await joinTcp(B, uuid, 'y')];
    await Promise.all([closed(a), closed(b)]);
    expect(rig.server.stats()).toMatchObject({ relayPairs: 0, relayHeld: 0, 'relay-not-introduced': 2 });
  });

  it('pairs at an open relay', async () => {
    await rig.start({ openRelay: true });
    const uuid = randomUUID();
    await talk(await joinTcp(A, uuid), await joinTcp(B, uuid));
  });

  it('does not keep sessions from meeting, however many guess', async () => {
    await rig.start({ limits: { maxRelayHeld: 20, maxRelayHeldPerAddress: 10 } });
    const b = await registered();
    const guesses = [];
    for (let i = 0; i < 40; i++)
      guesses.push(await joinTcp(i % 2 ? STRANGER : `127.0.1.${i + 1}`, randomUUID()));
    await until(() => (rig.server.stats()['relay-too-many-unintroduced'] ?? 0) > 0);
    expect(rig.server.stats().relayHeld).toBeLessThanOrEqual(20);
    const uuid = randomUUID();
    await askForRelay(b, uuid);
    await talk(await joinTcp(A, uuid), await joinTcp(B, uuid));
  });
});

describe('a ticket', () => {
  const seal = (uuid: string, side: TicketSide, nowMs = Date.now()): Uint8Array =>
    sealTicket(
      { uuid, side },
      new Uint8Array(Buffer.from(readFileSync(join(rig.dir, 'id_ed25519'), 'utf8'), 'base64')),
      nowMs,
    );

  it('introduces without a word from the rendezvous, for the other side too', async () => {
    await rig.start();
    const [both, one] = [randomUUID(), randomUUID()];
    await talk(
      await joinTcp(A, both, '', seal(both, CONTROLLER)),
      await joinTcp(B, both, '', seal(both, CONTROLLED)),
    );
    const stock = await joinTcp(B, one);
    await until(() => rig.server.stats().relayHeld === 1);
    await talk(await joinTcp(A, one, '', seal(one, CONTROLLER)), stock);
  });

  it('is refused the second time, for another uuid, when forged, and when old', async () => {
    await rig.start();
    const uuid = randomUUID();
    const ticket = seal(uuid, CONTROLLER);
    const a = await joinTcp(A, uuid, '', ticket);
    await until(() => rig.server.stats().relayWaiting === 1);
    await closed(await joinTcp(STRANGER, uuid, '', ticket));
    await talk(a, await joinTcp(B, uuid, '', seal(uuid, CONTROLLED)));
    await closed(await joinTcp(STRANGER, uuid, '', ticket));
    const other = randomUUID();
    await closed(await joinTcp(STRANGER, other, '', ticket));
    const bent = Uint8Array.from(seal(other, CONTROLLER));
    bent[bent.length - 1] = (bent.at(-1) ?? 0) ^ 1;
    await closed(await joinTcp(STRANGER, other, '', bent));
    await closed(await joinTcp(STRANGER, other, '', seal(other, CONTROLLER, Date.now() - 600_000)));
    await closed(await joinTcp(STRANGER, other, '', new Uint8Array(5000)));
    expect(rig.server.stats()).toMatchObject({
      'relay-ticket-replayed': 2,
      'relay-ticket-forged': 3,
      'relay-ticket-expired': 1,
      relayHeld: 0,
      relayWaiting: 0,
    });
  });

  it('does not pair two with the same side', async () => {
    await rig.start({ limits: { relayWaitMs: 100 } });
    const uuid = randomUUID();
    const a = await joinTcp(A, uuid, '', seal(uuid, CONTROLLER));
    await until(() => rig.server.stats().relayWaiting === 1);
    await closed(await joinTcp(STRANGER, uuid, '', seal(uuid, CONTROLLER)));
    await closed(a);
    expect(rig.server.stats()['relay-paired'] ?? 0).toBe(0);
  });
});

describe('a relay on another machine', () => {
  let relay: RunningServer;
  const relayDir = (): string => join(rig.dir, 'relay');
  const join1 = async (from: string, uuid: string): Promise<TestClient> => {
    const client = await rig.tcp(from, relay.ports.relay, true);
    client.sendRaw(encodeFrame(named(uuid)));
    return client;
  };
  afterEach(async () => relay.close());

  it('needs nothing but the public key to be told by the server whom it introduced', async () => {
    const first = await startServer({ dataDir: rig.dir, ports: { rendezvous: -1 } });
    const { publicKey } = first;
    await first.close();
    relay = await startServer({
      ...{ dataDir: relayDir(), relayOnly: true, key: publicKey },
      ports: { rendezvous: 23_000 + Math.floor(Math.random() * 5_000) },
      limits: { relayHeldMs: 200 },
    });
    await rig.start({ relays: [`127.0.0.1:${relay.ports.relay}`] });
    expect(rig.server.publicKey).toBe(publicKey);
    await until(() => rig.server.stats().relaysTold === 1);
    const b = await registered();
    const uuid = randomUUID();
    await askForRelay(b, uuid);
    await talk(await join1(A, uuid), await join1(B, uuid));
    const other = randomUUID();
    await proposeRelay(b, other, async () => void (await join1(B, other)));
    const a = await join1(A, other);
    await until(() => relay.stats().relayPairs === 2);
    a.destroy();
    const unknown = randomUUID();
    const strangers = [await join1(A, unknown), await join1(B, unknown)];
    for (const stranger of strangers) await closed(stranger);
    expect(relay.stats()['relay-not-introduced']).toBe(2);
  });

  it('believes only what is signed, and each word once', async () => {
    relay = await rig.start({ dataDir: relayDir(), limits: { relayHeldMs: 200 } });
    const secret = new Uint8Array(
      Buffer.from(readFileSync(join(relayDir(), 'id_ed25519'), 'utf8'), 'base64'),
    );
    const tell = async (signed: Uint8Array): Promise<TestClient> => {
      const client = await rig.tcp(STRANGER, relay.ports.relay);
      client.send(encodeRendezvous({ relayIntroduction: { signed: [signed] } }));
      return client;
    };
    const uuid = randomUUID();
    const word = sealTicket({ uuid, side: 0, hosts: [A, B] }, secret, Date.now());
    await closed(await tell(Uint8Array.from(word).fill(1, 10, 20)));
    await closed(await tell(sealTicket({ uuid, side: CONTROLLER }, secret, Date.now())));
    const [a, b] = [await join1(A, uuid), await join1(B, uuid)];
    await tell(word);
    await talk(a, b);
    // Overheard and said again, it lets nobody else through.
    const again = await tell(word);
    const others = [await join1(A, uuid), await join1(B, uuid)];
    for (const other of others) await closed(other);
    again.send(encodeRendezvous({ requestRelay: { uuid: 'not here', licenceKey: relay.publicKey } }));
    await closed(again);
    expect(relay.stats()['relay-paired']).toBe(1);
  });
});
