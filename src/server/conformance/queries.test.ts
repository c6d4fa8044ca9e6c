/** NAT test and online query (rendezvous §6.8, §8), SoftwareUpdate, and the key exchange (§6.9). */
import { describe, expect, it } from 'vitest';
import { clientKeyExchange, SealedStream } from '../../core/crypto/index.ts';
import { decodeRendezvous, encodeFrame, encodeRendezvous } from '../../core/wire/index.ts';
import type { TestClient } from '../test-wire.ts';
import { A, ask, B, expectClosed, ID, PK, receive, Result, Rig, say, UUID, onOnePort } from './rig.ts';

const rig = Rig.forEachTest();
const natPort = (): Promise<TestClient> => rig.tcp(A, rig.server.ports.natTest);

describe('online query', () => {
  it('answers one bit an id, the first in the highest, and closes', async () => {
    await rig.start();
    await rig.peer(B, 'online-1');
    await rig.peer(B, 'online-3');
    const client = await natPort();
    say(client, { onlineRequest: { id: 'me', peers: ['online-1', 'nobody', 'online-3'] } });
    const reply = await receive(client);
    expect(Buffer.from(reply.onlineResponse?.states ?? []).toString('hex')).toBe('a0');
    await expectClosed(client);
  });

  it('for nobody is answered as c20100', async () => {
    await rig.start();
    const client = await natPort();
    say(client, { onlineRequest: { id: 'me' } });
    expect(Buffer.from((await client.inbox.next()) ?? []).toString('hex')).toBe('c20100');
  });

  it.each([8, 9, 20_001, 100_000])('of %i ids is answered in full', async (count) => {
    await rig.start();
    await rig.peer(B, 'the-last-one');
    const peers = Array.from({ length: count }, (_, i) => (i === count - 1 ? 'the-last-one' : `${100_000_000 + i}`));
    const client = await natPort();
    // In two pieces, with the answer expected by a client that has closed its half.
    const frame = encodeFrame(encodeRendezvous({ onlineRequest: { id: 'me', peers } }));
    client.sendRaw(frame.subarray(0, frame.length >> 1));
    client.sendRaw(frame.subarray(frame.length >> 1));
    client.end();
    const states = (await receive(client)).onlineResponse?.states ?? new Uint8Array();
    expect(states.length).toBe(Math.ceil(count / 8));
    expect(states.at(-1)).toBe(0x80 >> ((count - 1) & 7));
    expect(states.subarray(0, -1).every((byte) => byte === 0)).toBe(true);
  });

  it('above the limit is closed without an answer', async () => {
    await rig.start({ limits: { maxOnlineIds: 10 } });
    const client = await natPort();
    say(client, { onlineRequest: { peers: Array.from({ length: 11 }, () => ID) } });
    await expectClosed(client);
  });
});

it('the NAT test of stock clients: two ports asked from one local port', async () => {
  await rig.start();
  const first = await rig.tcp(A);
  const second = await natPort();
  for (const client of [first, second]) {
    expect((await ask(client, { testNatRequest: { serial: 3 } })).testNatResponse?.port).toBe(client.localPort);
    await expectClosed(client);
  }
});

it('SoftwareUpdate is answered for another version than the newest, where there is one', async () => {
  await rig.start({ softwareUrl: 'https://example.test/dl/app-1.2.3.exe' });
  const client = await rig.peer();
  for (const url of ['1.2.2', '', 'https://example.test/dl/app-1.2.3.exe']) {
    say(client, { softwareUpdate: { url } });
    expect((await receive(client)).softwareUpdate?.url).toBe('https://example.test/dl/app-1.2.3.exe');
    await ask(await rig.tcp(B), { testNatRequest: {} });
  }
  say(client, { softwareUpdate: { url: '1.2.3' } });
  expect((await ask(client, { registerPeer: { id: ID } })).union).toBe('registerPeerResponse');
});

describe('key exchange', () => {
  const serverKey = (): Uint8Array => new Uint8Array(Buffer.from(rig.server.publicKey, 'base64'));

  async function sealed(client: TestClient): Promise<SealedStream> {
    const greeting = await receive(client);
    expect(greeting.keyExchange?.keys?.[0]?.length).toBe(96);
    const exchange = clientKeyExchange(greeting.keyExchange ?? {}, serverKey());
    if (!exchange) throw new Error('not signed by the server');
    client.send(exchange.answer);
    return new SealedStream(exchange.sessionKey);
  }

  it('is offered to who waits for it; a signed-in controller is introduced through it', async () => {
    await rig.startVirtual();
    const b = await rig.peer();
    const a = await rig.tcp(A);
    await accepted();
    rig.clock.advance(200);
    const stream = await sealed(a);
    a.send(stream.seal(encodeRendezvous(rig.punch({ token: 'signed in' }))));
    const push = await receive(b);
    say(await rig.tcp(B), { punchHoleSent: { socketAddr: push.punchHole?.socketAddr, id: ID, version: '1' } });
    const answer = decodeRendezvous(stream.open((await a.inbox.next()) ?? new Uint8Array()));
    expect(answer.punchHoleResponse?.pk?.length).toBeGreaterThan(64);
  });

  it('carries a registration, whose heartbeats stay in clear and count for nothing', async () => {
    await rig.startVirtual();
    const b = await rig.tcp(B);
    await accepted();
    rig.clock.advance(200);
    const stream = await sealed(b);
    b.send(stream.seal(encodeRendezvous({ registerPk: { id: ID, uuid: UUID, pk: PK } })));
    const reply = decodeRendezvous(stream.open((await b.inbox.next()) ?? new Uint8Array()));
    expect(reply.registerPkResponse?.result).toBe(Result.OK);
    rig.clock.advance(25_000);
    expect((await b.inbox.next())?.length).toBe(0);
    b.send(new Uint8Array());
    await rig.punchFrom(A);
    expect(decodeRendezvous(stream.open((await b.inbox.next()) ?? new Uint8Array())).union).toBe('punchHole');
  });

  it.skipIf(onOnePort())('is not offered to who speaks at once, nor on the NAT test port or WebSocket', async () => {
    await rig.startVirtual();
    const a = await rig.tcp(A);
    say(a, rig.punch());
    await receive(a);
    const others = [a, await natPort(), await rig.ws(A)];
    await accepted();
    rig.clock.advance(20_000);
    await accepted();
    for (const client of others) expect(client.inbox.size).toBe(0);
  });

  it('may be ignored: a request in clear behind the greeting is served in clear', async () => {
    await rig.startVirtual();
    const a = await rig.tcp(A);
    await accepted();
    rig.clock.advance(200);
    expect((await receive(a)).union).toBe('keyExchange');
    expect((await ask(a, rig.punch())).union).toBe('punchHoleResponse');
  });

  it('ends with a close when it is answered with nonsense', async () => {
    await rig.startVirtual();
    const a = await rig.tcp(A);
    await accepted();
    rig.clock.advance(200);
    await receive(a);
    say(a, { keyExchange: { keys: [new Uint8Array(32), new Uint8Array(48)] } });
    await expectClosed(a);
  });

  /** The server has accepted what connected before: a later connection of ours was served. */
  async function accepted(): Promise<void> {
    await ask(await rig.tcp(A), { testNatRequest: {} });
  }
});
