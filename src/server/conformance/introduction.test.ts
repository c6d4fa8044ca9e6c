/** Who is told what when a controller asks for an id (rendezvous §6.2 to §6.7, §9.5). */
import { describe, expect, it } from 'vitest';
import { openIdPk } from '../../core/crypto/index.ts';
import { decodeRendezvous, encodeRendezvous, hbb, mangleAddress, splitFields } from '../../core/wire/index.ts';
import type { ServerOptions } from '../index.ts';
import type { TestClient } from '../test-wire.ts';
import {
  A,
  ADDR_V6,
  addressIn,
  ask,
  B,
  expectClosed,
  expectSilence,
  Failure,
  ID,
  NatType,
  PK,
  receive,
  Rig,
  say,
  UUID,
  VERSION,
  onOnePort,
} from './rig.ts';

const rig = Rig.forEachTest();
const RELAY = '203.0.113.10:21117';

/** A, and B with what it was pushed. */
async function introduce(
  more: hbb.IPunchHoleRequest = {},
  options: Partial<ServerOptions> = {},
  from = { a: A, b: B },
): Promise<{ a: TestClient; b: TestClient; push: hbb.RendezvousMessage }> {
  await rig.start({ relays: [RELAY], ...options });
  const b = await rig.peer(from.b);
  const a = await rig.punchFrom(from.a, more);
  return { a, b, push: await receive(b) };
}

const signedPk = (message: hbb.RendezvousMessage): { id: string; pk: Uint8Array } | null => {
  const bytes = message.punchHoleResponse?.pk ?? message.relayResponse?.pk ?? new Uint8Array();
  return openIdPk(bytes, new Uint8Array(Buffer.from(rig.server.publicKey, 'base64')));
};

describe('PunchHoleRequest is refused', () => {
  it('first for the wrong key, also for an unknown id', async () => {
    await rig.start();
    for (const licenceKey of ['', 'OeVuKk5nlHiXp+APNn0Y3pC1Iwpwn44JGqrQCsWqmBw='])
      expect((await ask(await rig.tcp(A), rig.punch({ licenceKey }))).punchHoleResponse?.failure).toBe(Failure.LICENSE_MISMATCH);
  });

  it('for an unknown id as 5a00, with everything at its default', async () => {
    await rig.start();
    const a = await rig.punchFrom(A);
    expect(Buffer.from((await a.inbox.next()) ?? []).toString('hex')).toBe('5a00');
  });

  it('not at all for its key when the server wants none', async () => {
    await rig.start({ key: '' });
    expect((await ask(await rig.tcp(A), rig.punch({ licenceKey: 'anything' }))).punchHoleResponse?.failure).toBe(Failure.ID_NOT_EXIST);
  });
});

describe('PunchHole', () => {
  it('names the controller, its NAT and the relay, and nothing comes to the controller yet', async () => {
    const { a, push } = await introduce({ natType: NatType.SYMMETRIC });
    expect(push.union).toBe('punchHole');
    expect(push.punchHole).toMatchObject({ natType: NatType.SYMMETRIC, relayServer: RELAY, udpPort: 0, forceRelay: false });
    expect(addressIn(push.punchHole?.socketAddr)).toEqual({ host: A, port: a.localPort });
    expect(a.inbox.size).toBe(0);
  });

  it('carries what enables UDP and IPv6, unlike with hbbs', async () => {
    const { push } = await introduce({ udpPort: 40_000, upnpPort: 41_000, forceRelay: true, socketAddrV6: ADDR_V6 });
    expect(push.punchHole).toMatchObject({ udpPort: 40_000, upnpPort: 41_000, forceRelay: true });
    expect(Buffer.from(push.punchHole?.socketAddrV6 ?? [])).toEqual(Buffer.from(ADDR_V6));
  });

  it('carries no port that is none', async () => {
    const { push } = await introduce({ udpPort: -1, upnpPort: 70_000 });
    expect(push.punchHole).toMatchObject({ udpPort: 0, upnpPort: 0 });
  });

  it('asks for a relay and offers nothing else with --always-relay', async () => {
    const { push } = await introduce({ udpPort: 40_000, socketAddrV6: ADDR_V6 }, { alwaysRelay: true });
    expect(push.punchHole).toMatchObject({ natType: NatType.SYMMETRIC, udpPort: 0 });
    expect(push.punchHole?.socketAddrV6?.length).toBe(0);
  });

  it('is sent again for each repetition of the request', async () => {
    const { a, b, push } = await introduce();
    for (let i = 0; i < 2; i++) {
      say(a, rig.punch());
      const again = await receive(b);
      expect(again.punchHole?.socketAddr).toEqual(push.punchHole?.socketAddr);
    }
  });

  it('goes to an IPv4 peer for a controller on IPv6, with 18 bytes of address', async () => {
    const { a, push } = await introduce({}, {}, { a: '::1', b: B });
    expect(push.punchHole?.socketAddr?.length).toBe(18);
    expect(addressIn(push.punchHole?.socketAddr)).toEqual({ host: '::1', port: a.localPort });
  });

  it('goes to an IPv6 peer for a controller on IPv4', async () => {
    const { push } = await introduce({}, {}, { a: A, b: '::1' });
    expect(push.punchHole?.socketAddr?.length).toBeLessThanOrEqual(11);
  });

  it('goes to whoever is behind the proxy that a WebSocket controller comes through', async () => {
    await rig.start({ trustedProxies: ['127.0.0.1'] });
    const b = await rig.peer();
    const a = await rig.ws('127.0.0.1', { headers: { 'X-Real-IP': '198.51.100.7' } });
    say(a, rig.punch());
    expect(addressIn((await receive(b)).punchHole?.socketAddr)).toEqual({ host: '198.51.100.7', port: 0 });
  });
});

describe('behind one address', () => {
  const both = { a: B, b: B };

  it('the local address is asked for, with the relay and the IPv6 address', async () => {
    const { a, push } = await introduce({ forceRelay: true, socketAddrV6: ADDR_V6 }, {}, both);
    expect(push.union).toBe('fetchLocalAddr');
    expect(push.fetchLocalAddr?.relayServer).toBe(RELAY);
    expect(addressIn(push.fetchLocalAddr?.socketAddr)).toEqual({ host: B, port: a.localPort });
    expect(Buffer.from(push.fetchLocalAddr?.socketAddrV6 ?? [])).toEqual(Buffer.from(ADDR_V6));
  });

  it('also with --always-relay', async () => {
    expect((await introduce({}, { alwaysRelay: true }, both)).push.union).toBe('fetchLocalAddr');
  });

  it('not for a WebSocket controller, nor for a peer that is registered over WebSocket', async () => {
    await rig.start();
    const b = await rig.ws(B);
    await ask(b, { registerPk: { id: ID, uuid: UUID, pk: PK } });
    await rig.punchFrom(B);
    expect((await receive(b)).union).toBe('punchHole');
    const byUdp = await rig.peer(B, 'otherpeer');
    const a = await rig.ws(B);
    say(a, rig.punch({ id: 'otherpeer' }));
    expect((await receive(byUdp)).union).toBe('punchHole');
  });

  it('a controller that asks with and without a UDP port gets both ways', async () => {
    for (const udpFirst of [false, true]) {
      const { b, push } = await introduce(udpFirst ? { udpPort: 40_000 } : {}, {}, both);
      expect(push.union).toBe('fetchLocalAddr');
      await rig.punchFrom(B, udpFirst ? {} : { udpPort: 40_000 });
      const second = await receive(b);
      expect(second.union).toBe('punchHole');
      expect(second.punchHole?.udpPort).toBe(udpFirst ? 0 : 40_000);
      await rig.server.close();
    }
  });

  it('a controller that had to take the relay gets the other way next time', async () => {
    const { b } = await introduce({}, {}, both);
    for (const next of ['punchHole', 'fetchLocalAddr']) {
      say(await rig.tcp(B), { requestRelay: { id: ID, uuid: 'u' } });
      expect((await receive(b)).union).toBe('requestRelay');
      await rig.punchFrom(B);
      expect((await receive(b)).union).toBe(next);
    }
  });

  it('a controller that takes the relay by choice gets the local address again', async () => {
    const { b } = await introduce({}, {}, both);
    say(await rig.tcp(B), { requestRelay: { id: ID, uuid: 'u', byChoice: true } });
    expect((await receive(b)).union).toBe('requestRelay');
    await rig.punchFrom(B);
    expect((await receive(b)).union).toBe('fetchLocalAddr');
  });

  it('LocalAddr becomes an answer with is_local and the bytes of the local address', async () => {
    const { a, push } = await introduce({}, {}, both);
    const localAddr = mangleAddress({ host: '10.1.0.3', port: 41_960 }, 7);
    const { host, port } = addressIn(push.fetchLocalAddr?.socketAddr);
    const answer = await rig.tcp(B);
    // Encoded anew, as stock clients do here.
    const socketAddr = mangleAddress({ host, port }, 123_456);
    say(answer, { localAddr: { socketAddr, localAddr, relayServer: RELAY, id: ID, version: VERSION, socketAddrV6: ADDR_V6 } });
    const got = await receive(a);
    expect(got.punchHoleResponse).toMatchObject({ isLocal: true, relayServer: RELAY });
    expect(Buffer.from(got.punchHoleResponse?.socketAddr ?? [])).toEqual(Buffer.from(localAddr));
    expect(Buffer.from(got.punchHoleResponse?.socketAddrV6 ?? [])).toEqual(Buffer.from(ADDR_V6));
    expect(signedPk(got)?.id).toBe(ID);
    await expectClosed(answer);
  });
});

describe('a LAN mask', () => {
  const options = { mask: '127.1.0.0/24', localIp: '10.1.0.99', relays: [RELAY] };

  it('sends pairs across its border to the relay, at its inner address when the controlled side is inside', async () => {
    const { push } = await introduce({ udpPort: 40_000 }, options, { a: A, b: '127.1.0.5' });
    expect(push.punchHole).toMatchObject({ natType: NatType.SYMMETRIC, relayServer: '10.1.0.99', udpPort: 0 });
  });

  it('with the controller inside, names the configured relay to the other and the inner address to the controller', async () => {
    const { a, push } = await introduce({}, options, { a: '127.1.0.5', b: B });
    expect(push.punchHole).toMatchObject({ natType: NatType.SYMMETRIC, relayServer: RELAY });
    const { socketAddr, relayServer } = push.punchHole ?? {};
    say(await rig.tcp(B), { relayResponse: { socketAddr, relayServer, uuid: 'u', id: ID, version: VERSION } });
    expect((await receive(a)).relayResponse?.relayServer).toBe('10.1.0.99');
  });

  it('makes all inside it one network', async () => {
    const { push } = await introduce({}, options, { a: '127.1.0.5', b: '127.1.0.6' });
    expect(push.union).toBe('fetchLocalAddr');
  });
});

describe('PunchHoleSent', () => {
  const answerOf = (push: hbb.RendezvousMessage, more: hbb.IPunchHoleSent = {}): hbb.IRendezvousMessage => ({
    punchHoleSent: {
      socketAddr: push.punchHole?.socketAddr,
      id: ID,
      relayServer: RELAY,
      natType: NatType.SYMMETRIC,
      version: VERSION,
      ...more,
    },
  });

  it('by TCP tells the controller the address of that connection, and closes it', async () => {
    const { a, push } = await introduce();
    const answer = await rig.tcp(B);
    say(answer, answerOf(push, { upnpPort: 42_000, socketAddrV6: ADDR_V6 }));
    const got = await receive(a);
    expect(got.punchHoleResponse).toMatchObject({ natType: NatType.SYMMETRIC, relayServer: RELAY, isUdp: false, upnpPort: 42_000 });
    expect(addressIn(got.punchHoleResponse?.socketAddr)).toEqual({ host: B, port: answer.localPort });
    expect(Buffer.from(got.punchHoleResponse?.socketAddrV6 ?? [])).toEqual(Buffer.from(ADDR_V6));
    expect(signedPk(got)).toMatchObject({ id: ID });
    expect(Buffer.from(signedPk(got)?.pk ?? [])).toEqual(Buffer.from(PK));
    await expectClosed(answer);
  });

  it('writes nat_type also when it is unknown', async () => {
    const { a, push } = await introduce();
    say(await rig.tcp(B), answerOf(push, { natType: NatType.UNKNOWN_NAT }));
    const bytes = (await a.inbox.next()) ?? new Uint8Array();
    const inner = splitFields(bytes)[0]?.content ?? new Uint8Array();
    expect(splitFields(inner).map((field) => field.number)).toContain(5);
  });

  it('without a version gets no signed key', async () => {
    const { a, push } = await introduce();
    say(await rig.tcp(B), answerOf(push, { version: '' }));
    expect((await receive(a)).punchHoleResponse?.pk?.length).toBe(0);
  });

  it('by UDP tells the controller its source, as is_udp, once for the three copies', async () => {
    const { a, push } = await introduce({ udpPort: 40_000 });
    const x = await rig.udp(B);
    for (let i = 0; i < 3; i++) say(x, answerOf(push, { socketAddrV6: ADDR_V6 }));
    const got = await receive(a);
    expect(got.punchHoleResponse).toMatchObject({ isUdp: true, relayServer: RELAY });
    expect(addressIn(got.punchHoleResponse?.socketAddr)).toEqual({ host: B, port: x.localPort });
    expect(Buffer.from(got.punchHoleResponse?.socketAddrV6 ?? [])).toEqual(Buffer.from(ADDR_V6));
    await expectSilence(x);
    expect(a.inbox.size).toBe(0);
  });

  it('reaches a controller that has closed its half, and one that waits on WebSocket', async () => {
    const { a, b, push } = await introduce();
    a.end();
    say(await rig.tcp(B), answerOf(push));
    expect((await receive(a)).union).toBe('punchHoleResponse');
    const ws = await rig.ws(A);
    say(ws, rig.punch());
    say(await rig.tcp(B), answerOf(await receive(b)));
    expect((await receive(ws)).union).toBe('punchHoleResponse');
  });

  it('from a peer that is registered over WebSocket only comes over another WebSocket', async () => {
    await rig.start({ relays: [RELAY] });
    const b = await rig.ws(B);
    await ask(b, { registerPk: { id: ID, uuid: UUID, pk: PK } });
    const a = await rig.punchFrom(A, { udpPort: 40_000 });
    const push = await receive(b);
    const answer = await rig.ws(B);
    say(answer, { relayResponse: { socketAddr: push.punchHole?.socketAddr, uuid: 'u', relayServer: RELAY, id: ID, version: VERSION } });
    const got = await receive(a);
    expect(got.relayResponse).toMatchObject({ uuid: 'u', relayServer: RELAY });
    expect(signedPk(got)?.id).toBe(ID);
    await expectClosed(answer);
  });
});

describe('relay', () => {
  it('RequestRelay is forwarded whole, with the address of the controller and fields that nobody knows', async () => {
    await rig.start();
    const b = await rig.peer();
    const a = await rig.tcp(A);
    const request = { id: ID, uuid: 'a-uuid', relayServer: RELAY, secure: true, licenceKey: 'any', token: 't', switchCode: 's' };
    const known = encodeRendezvous({ requestRelay: { ...request, controlPermissions: { permissions: 5n } } });
    // Field 99 of the inner message: its length byte grows with it.
    const unknown = new Uint8Array(Buffer.from('9a06026869', 'hex'));
    const raw = Buffer.concat([known, unknown]);
    raw[2] = (raw[2] ?? 0) + unknown.length;
    a.send(raw);
    const bytes = (await b.inbox.next()) ?? new Uint8Array();
    const got = decodeRendezvous(bytes).requestRelay;
    expect(got).toMatchObject(request);
    expect(got?.controlPermissions?.permissions).toBe(5n);
    expect(addressIn(got?.socketAddr)).toEqual({ host: A, port: a.localPort });
    expect(splitFields(splitFields(bytes)[0]?.content ?? new Uint8Array()).map((field) => field.number)).toContain(99);
  });

  it('RequestRelay goes to a peer in memory without a look at its last sign of life', async () => {
    await rig.startVirtual();
    const b = await rig.peer();
    rig.clock.advance(31_000);
    say(await rig.tcp(A), { requestRelay: { id: ID, uuid: 'u' } });
    expect((await receive(b)).union).toBe('requestRelay');
  });

  it('RelayResponse passes everything on, with the signed key in place of the id', async () => {
    const { a, push } = await introduce();
    const more = { refuseReason: 'no', version: VERSION, feedback: 3, socketAddrV6: ADDR_V6, upnpPort: 9, uuid: 'u' };
    const answer = await rig.tcp(B);
    say(answer, { relayResponse: { socketAddr: push.punchHole?.socketAddr, relayServer: RELAY, id: ID, ...more } });
    const got = await receive(a);
    expect(got.relayResponse).toMatchObject({ ...more, socketAddrV6: expect.anything() as unknown, relayServer: RELAY });
    expect(got.relayResponse?.socketAddr?.length).toBe(0);
    expect(signedPk(got)?.id).toBe(ID);
    await expectClosed(answer);
  });

  it('RelayResponse to a request for a relay needs no id', async () => {
    await rig.start();
    const b = await rig.peer();
    const a = await rig.tcp(A);
    say(a, { requestRelay: { id: ID, uuid: 'u' } });
    const { socketAddr } = (await receive(b)).requestRelay ?? {};
    say(await rig.tcp(B), { relayResponse: { socketAddr, version: VERSION } });
    const got = await receive(a);
    expect(got.relayResponse?.version).toBe(VERSION);
    expect(got.relayResponse?.pk?.length ?? 0).toBe(0);
  });

  it('is chosen in turn', async () => {
    await rig.start({ relays: ['198.51.100.1', '198.51.100.2:2000'] });
    const b = await rig.peer();
    const named: (string | undefined)[] = [];
    for (let i = 0; i < 4; i++) {
      const a = await rig.punchFrom(A);
      const push = await receive(b);
      named.push(push.punchHole?.relayServer);
      say(await rig.tcp(B), { punchHoleSent: { socketAddr: push.punchHole?.socketAddr, id: ID } });
      await receive(a);
    }
    expect(new Set(named).size).toBe(2);
    expect(named[0]).toBe(named[2]);
    expect(named[1]).toBe(named[3]);
  });

  it.skipIf(onOnePort())('is left to the clients where the built-in one is on its usual port', async () => {
    expect((await introduce({}, { relays: [] })).push.punchHole?.relayServer).toBe('');
  });
});
