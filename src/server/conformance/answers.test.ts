/** An answer counts only from the peer that was asked, and for the request that asked it. */
import { describe, expect, it } from 'vitest';
import { type hbb, mangleAddress } from '../../core/wire/index.ts';
import type { TestClient } from '../test-wire.ts';
import { A, addressIn, B, expectClosed, expectSilence, ID, receive, Rig, say, STRANGER, VERSION } from './rig.ts';

const rig = Rig.forEachTest();

/** What an impostor would send to lead the controller to himself; he may well know its address. */
const lies = (socketAddr: Uint8Array | null | undefined, id = ID): hbb.IRendezvousMessage[] => [
  { punchHoleSent: { socketAddr, id, relayServer: 'evil', version: VERSION } },
  { localAddr: { socketAddr, id, localAddr: mangleAddress({ host: STRANGER, port: 1 }), relayServer: 'evil', version: VERSION } },
  { relayResponse: { socketAddr, id, uuid: 'evil', relayServer: 'evil', version: VERSION } },
  { relayResponse: { socketAddr, uuid: 'evil', relayServer: 'evil', version: VERSION } },
];
const truth = (socketAddr: Uint8Array | null | undefined): hbb.IRendezvousMessage => ({
  punchHoleSent: { socketAddr, id: ID, relayServer: 'true', version: VERSION },
});
const relayOf = (message: hbb.RendezvousMessage): string | null | undefined =>
  message.punchHoleResponse?.relayServer ?? message.relayResponse?.relayServer;

async function lieFrom(from: string, socketAddr: Uint8Array | null | undefined, id = ID): Promise<void> {
  for (const lie of lies(socketAddr, id)) {
    const client = await rig.tcp(from);
    say(client, lie);
    await expectClosed(client);
    const ws = await rig.ws(from);
    say(ws, lie);
    await expectClosed(ws);
  }
  const udp = await rig.udp(from);
  for (const lie of lies(socketAddr, id)) say(udp, lie);
  await expectSilence(udp);
}

async function asked(from = A, more: hbb.IPunchHoleRequest = { udpPort: 40_000 }): Promise<{
  a: TestClient;
  b: TestClient;
  socketAddr: Uint8Array;
  guess: Uint8Array;
}> {
  await rig.start();
  const b = await rig.peer();
  const a = await rig.punchFrom(from, more);
  const push = await receive(b);
  const socketAddr = push.punchHole?.socketAddr ?? push.fetchLocalAddr?.socketAddr ?? new Uint8Array();
  return { a, b, socketAddr, guess: mangleAddress(addressIn(socketAddr), 1) };
}

describe('a stranger who knows the address of the controller and the id', () => {
  it('is not believed, over TCP, WebSocket or UDP; the peer itself still is', async () => {
    const { a, socketAddr, guess } = await asked();
    await lieFrom(STRANGER, guess);
    say(await rig.tcp(B), truth(socketAddr));
    expect(relayOf(await receive(a))).toBe('true');
    expect(a.inbox.size).toBe(0);
  });

  it('is not believed when the controller is on IPv6', async () => {
    const { a, socketAddr } = await asked('::1');
    await lieFrom(STRANGER, socketAddr);
    say(await rig.tcp(B), truth(socketAddr));
    expect(relayOf(await receive(a))).toBe('true');
  });

  it('is not believed about a request for a relay', async () => {
    await rig.start();
    const b = await rig.peer();
    const a = await rig.tcp(A);
    say(a, { requestRelay: { id: ID, uuid: 'u' } });
    const { socketAddr } = (await receive(b)).requestRelay ?? {};
    await lieFrom(STRANGER, mangleAddress(addressIn(socketAddr), 1));
    say(await rig.tcp(B), { relayResponse: { socketAddr, relayServer: 'true', version: VERSION } });
    expect(relayOf(await receive(a))).toBe('true');
  });
});

describe('another peer', () => {
  it('cannot answer under its own id, even if it learned the bytes that were sent to the one that was asked', async () => {
    const { a, socketAddr } = await asked();
    await rig.peer(STRANGER, 'evilpeer1');
    for (const lie of lies(socketAddr, 'evilpeer1').slice(0, 3)) {
      const client = await rig.tcp(STRANGER);
      say(client, lie);
      await expectClosed(client);
    }
    say(await rig.tcp(B), truth(socketAddr));
    expect(relayOf(await receive(a))).toBe('true');
  });

  it('behind the same NAT is not faster than the one that was asked', async () => {
    const { a, socketAddr, guess } = await asked();
    const neighbour = await rig.tcp(B);
    say(neighbour, { punchHoleSent: { socketAddr: guess, id: ID, relayServer: 'evil', version: VERSION } });
    await expectClosed(neighbour);
    const udp = await rig.udp(B);
    say(udp, { punchHoleSent: { socketAddr: guess, id: ID, relayServer: 'evil', version: VERSION } });
    await expectSilence(udp);
    say(await rig.tcp(B), truth(socketAddr));
    expect(relayOf(await receive(a))).toBe('true');
    expect(a.inbox.size).toBe(0);
  });

  it('behind the same NAT cannot find the controller by trying ports', async () => {
    await rig.start({ limits: { maxWrongAnswers: 20 } });
    const b = await rig.peer(B);
    const a = await rig.punchFrom(B);
    const { socketAddr } = (await receive(b)).fetchLocalAddr ?? {};
    const { host, port } = addressIn(socketAddr);
    const local = (at: number): hbb.IRendezvousMessage => ({
      localAddr: { socketAddr: mangleAddress({ host, port: at }, 1), localAddr: new Uint8Array(), id: ID, version: VERSION },
    });
    for (let i = 1; i <= 20; i++) {
      const client = await rig.tcp(B);
      say(client, local(port - i));
      await expectClosed(client);
    }
    const found = await rig.tcp(B);
    say(found, local(port));
    await expectClosed(found);
    expect(a.inbox.size).toBe(0);
    // With the proof it is still heard.
    say(await rig.tcp(B), { localAddr: { socketAddr, localAddr: mangleAddress({ host: '10.0.0.1', port: 5 }), id: ID, relayServer: 'true' } });
    expect(relayOf(await receive(a))).toBe('true');
  });
});

describe('the peer that was asked', () => {
  it('is believed from another address when it returns what it was sent', async () => {
    const { a, socketAddr } = await asked();
    say(await rig.tcp('127.0.0.103'), truth(socketAddr));
    expect(relayOf(await receive(a))).toBe('true');
  });

  it('is believed a moment later when it encodes the address anew', async () => {
    const { a, guess } = await asked();
    say(await rig.tcp(B), truth(guess));
    expect(relayOf(await receive(a))).toBe('true');
  });

  it('is heard once', async () => {
    const { a, b, socketAddr } = await asked();
    for (let i = 0; i < 2; i++) {
      const client = await rig.tcp(B);
      say(client, truth(socketAddr));
      await expectClosed(client);
    }
    expect(relayOf(await receive(a))).toBe('true');
    say(a, rig.punch());
    const again = await receive(b);
    expect(again.punchHole?.socketAddr).not.toEqual(socketAddr);
    expect(a.inbox.size).toBe(0);
  });

  it('is not heard by UDP for a controller that has no UDP port', async () => {
    const { a, socketAddr } = await asked(A, {});
    const x = await rig.udp(B);
    say(x, truth(socketAddr));
    await expectSilence(x);
    expect(a.inbox.size).toBe(0);
  });

  it('is not heard after the controller has gone, nor after the request has grown old', async () => {
    await rig.startVirtual();
    const b = await rig.peer();
    const a = await rig.punchFrom(A);
    const { socketAddr } = (await receive(b)).punchHole ?? {};
    rig.clock.advance(25_000);
    say(a, rig.punch({ id: 'nobody-knows' }));
    await receive(a);
    rig.clock.advance(25_000);
    say(a, rig.punch({ id: 'nobody-knows' }));
    await receive(a);
    rig.clock.advance(11_000);
    const late = await rig.tcp(B);
    say(late, truth(socketAddr));
    await expectClosed(late);
    expect(a.inbox.size).toBe(0);
    expect(rig.server.stats()['answer-unasked']).toBe(1);
  });
});

it('two controllers behind one proxy address each get their own answer', async () => {
  await rig.start({ trustedProxies: ['127.0.0.1'] });
  const b = await rig.peer();
  const headers = { 'X-Real-IP': '198.51.100.7' };
  const [first, second] = [await rig.ws('127.0.0.1', { headers }), await rig.ws('127.0.0.1', { headers })];
  say(first, rig.punch());
  const one = (await receive(b)).punchHole?.socketAddr;
  say(second, rig.punch());
  const two = (await receive(b)).punchHole?.socketAddr;
  const answer = async (socketAddr: Uint8Array | null | undefined, uuid: string): Promise<void> =>
    say(await rig.tcp(B), { relayResponse: { socketAddr, uuid, id: ID, relayServer: 'r', version: VERSION } });
  await answer(two, 'two');
  await answer(one, 'one');
  expect((await receive(first)).relayResponse?.uuid).toBe('one');
  expect((await receive(second)).relayResponse?.uuid).toBe('two');
});
