/** No UDP answer is longer than what its address has sent; measured from addresses that the server has never seen. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, describe, expect, it } from 'vitest';
import { decodeRendezvous, encodeRendezvous, hbb, mangleAddress, unmangleAddress } from '../../core/wire/index.ts';
import { ADDR_V6, ask, expectSilence, ID, PK, receive, Rig, say, STRANGER, UUID, VERSION } from './rig.ts';

const rig = Rig.forEachTest();
const NAMED = mangleAddress({ host: '127.0.0.99', port: 5000 }, 1);

/** Everything that could be sent to port P, as short as it can be and as clients send it. */
const REQUESTS: Record<string, hbb.IRendezvousMessage> = {
  'RegisterPeer, shortest': { registerPeer: { id: 'a' } },
  'RegisterPeer, unknown id': { registerPeer: { id: '987654321', serial: 3 } },
  'RegisterPeer, id of another': { registerPeer: { id: ID, serial: 3 } },
  'RegisterPk, shortest': { registerPk: { id: '', uuid: new Uint8Array(1), pk: new Uint8Array(1) } },
  'RegisterPk, new': { registerPk: { id: 'newcomer1', uuid: UUID, pk: PK } },
  'RegisterPk, id of another': { registerPk: { id: ID, uuid: new Uint8Array([1]), pk: PK } },
  'RegisterPk, no key': { registerPk: { id: ID } },
  'TestNatRequest, shortest': { testNatRequest: {} },
  'TestNatRequest, with serial': { testNatRequest: { serial: 3 } },
  'TestNatRequest, padded': { testNatRequest: { serial: -1 } },
  'TestNatRequest, address, short': { testNatRequest: { wantAddress: true } },
  'TestNatRequest, address, long': { testNatRequest: { wantAddress: true, padding: new Uint8Array(40) } },
  'TestNatRequest, from the other port': { testNatRequest: { wantAddress: true, fromOtherPort: true, padding: new Uint8Array(40) } },
  SoftwareUpdate: { softwareUpdate: {} },
  ConfigUpdate: { configureUpdate: { serial: 99, rendezvousServers: ['x'] } },
  PunchHoleRequest: { punchHoleRequest: { id: ID, version: VERSION, udpPort: 1, socketAddrV6: ADDR_V6 } },
  PunchHoleSent: { punchHoleSent: { socketAddr: NAMED, id: ID, version: VERSION } },
  LocalAddr: { localAddr: { socketAddr: NAMED, localAddr: NAMED, id: ID, version: VERSION } },
  RequestRelay: { requestRelay: { id: ID, uuid: 'u' } },
  RelayResponse: { relayResponse: { socketAddr: NAMED, uuid: 'u', id: ID } },
  OnlineRequest: { onlineRequest: { peers: [ID] } },
  KeyExchange: { keyExchange: { keys: [PK] } },
  HealthCheck: { hc: { token: 't' } },
  HttpProxyRequest: { httpProxyRequest: { method: 'GET', path: '/' } },
  PeerDiscovery: { peerDiscovery: { cmd: 'ping' } },
  'unset union': {},
};

const measured: string[] = [];
afterAll(() => console.log(measured.join('\n')));

/** Sends from a fresh address and counts what comes back to it until the server has surely answered. */
async function factor(host: string, datagrams: readonly Uint8Array[]): Promise<{ sent: number; got: number }> {
  const socket = createSocket('udp4');
  let got = 0;
  socket.on('message', (bytes) => (got += bytes.length));
  await new Promise<void>((resolve) => socket.bind({ address: host }, resolve));
  for (const bytes of datagrams) socket.send(bytes, rig.server.ports.rendezvous, '127.0.0.1');
  await fence();
  socket.close();
  return { sent: datagrams.reduce((sum, bytes) => sum + bytes.length, 0), got };
}

let fences = 0;
/** Datagrams over loopback stay in order: when somebody's later ones are answered, all earlier ones have been. */
async function fence(): Promise<void> {
  const client = await rig.peer(`127.7.${++fences >> 8}.${fences & 255}`, `fence-${fences}`);
  for (let i = 0; i < 2; i++) await expectSilence(client);
  await new Promise((resolve) => setImmediate(resolve));
}

describe('from a fresh address', () => {
  const everything = { serial: 7, rendezvousServers: ['203.0.113.10', '203.0.113.11'], softwareUrl: 'https://example.test/dl/app-1.2.3.exe' };

  it.each(Object.entries(REQUESTS).map(([name, message], i) => ({ name, message, i })))('$name: at most 1.0', async ({ name, message, i }) => {
    await rig.start(everything);
    await rig.peer();
    const bytes = encodeRendezvous(message);
    for (const [copies, host] of [[1, `127.3.${i}.1`], [2, `127.3.${i}.2`], [100, `127.3.${i}.3`]] as const) {
      const { sent, got } = await factor(host, Array.from({ length: copies }, () => bytes));
      if (copies !== 2) measured.push(`${name} x${copies}: ${sent} B sent, ${got} B back, factor ${sent === 0 ? 0 : (got / sent).toFixed(2)}`);
      expect(got).toBeLessThanOrEqual(sent);
    }
  });

  it('garbage and every pair of requests: at most 1.0', async () => {
    await rig.start(everything);
    await rig.peer();
    const all = Object.values(REQUESTS).map((message) => encodeRendezvous(message));
    for (const [i, first] of all.entries()) {
      const { sent, got } = await factor(`127.4.${i}.1`, all.flatMap((second) => [first, second]));
      expect(got).toBeLessThanOrEqual(sent);
    }
    const noise = Array.from({ length: 500 }, (_, i) => Uint8Array.from({ length: 1 + (i % 40) }, (_x, j) => (i * 31 + j * 17) & 0xff));
    const { sent, got } = await factor('127.4.200.1', noise);
    expect(got).toBeLessThanOrEqual(sent);
  });
});

describe('turned against an address that was registered by a forged datagram', () => {
  it('requests cost the attacker more than they bring the victim, and end', async () => {
    await rig.start({ key: '' });
    const victim = await rig.udp('127.5.0.1');
    const forged = encodeRendezvous({ registerPk: { id: 'forged-id', uuid: UUID, pk: PK } });
    victim.send(forged);
    await receive(victim);
    const attacker = await rig.tcp('127.5.0.2');
    let spent = forged.length;
    for (let i = 0; i < 400; i++) {
      const request = rig.punch({ id: 'forged-id', udpPort: 1_000 + i, socketAddrV6: ADDR_V6 });
      spent += encodeRendezvous(request).length;
      say(attacker, request);
    }
    await ask(attacker, rig.punch({ id: 'nobody-knows' }));
    await fence();
    let got = 0;
    while (victim.inbox.size > 0) got += (await victim.inbox.next())?.length ?? 0;
    measured.push(`pushes to a forged registration: ${spent} B spent, ${got} B at the victim, factor ${(got / spent).toFixed(2)}`);
    expect(got).toBeLessThanOrEqual(spent);
    expect(got).toBeLessThanOrEqual(8_192 + forged.length);
    expect(rig.server.stats()['push-unproven']).toBeGreaterThan(0);
  });

  it('a computer that has shown nothing yet, as after a restart of the server, is asked with less rather than not at all', async () => {
    await rig.start();
    const b = await rig.peer('127.5.0.5');
    const a = await rig.tcp('127.5.0.2');
    for (let i = 0; i < 3; i++) {
      say(a, rig.punch({ relayUuid: `00000000-0000-4000-8000-00000000000${i}`, wantTicket: true }));
      expect((await receive(b)).punchHole?.socketAddr.length).toBeGreaterThan(0);
    }
    expect(rig.server.stats()['push-unproven'] ?? 0).toBe(0);
  });

  it('a peer that ever answered a push, or connected, is not limited', async () => {
    await rig.start({ limits: { udpUnprovenPushBytes: 0 } });
    const b = await rig.peer('127.5.0.3');
    const a = await rig.tcp('127.5.0.2');
    say(a, rig.punch());
    const { socketAddr } = (await receive(b)).punchHole ?? {};
    // Registration has paid for one push, not for a second one.
    say(await rig.tcp('127.5.0.4'), { punchHoleSent: { socketAddr, id: ID, version: VERSION } });
    expect((await receive(a)).union).toBe('punchHoleResponse');
    for (let i = 0; i < 50; i++) {
      say(a, rig.punch());
      expect((await receive(b)).union).toBe('punchHole');
    }
  });
});

it('a NAT test of ours names the address, and is answered from the port that was wanted, at either port', async () => {
  await rig.start();
  const { rendezvous, natTest } = rig.server.ports;
  if (natTest === rendezvous) return;
  for (const [asked, other] of [[rendezvous, natTest], [natTest, rendezvous]] as const)
    for (const fromOtherPort of [false, true]) {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind({ address: '127.6.0.1' }, resolve));
      const answered = once(socket, 'message') as Promise<[Uint8Array, { port: number }]>;
      socket.send(encodeRendezvous({ testNatRequest: { wantAddress: true, fromOtherPort, padding: new Uint8Array(40) } }), asked, '127.0.0.1');
      const [bytes, from] = await answered;
      const { address, otherPort } = decodeRendezvous(bytes).testNatResponse ?? {};
      expect(unmangleAddress(address ?? new Uint8Array())).toEqual({ host: '127.6.0.1', port: socket.address().port });
      expect(otherPort).toBe(other);
      expect(from.port).toBe(fromOtherPort ? other : asked);
      socket.close();
    }
  const tcp = await ask(await rig.tcp(STRANGER), { testNatRequest: { wantAddress: true } });
  expect(unmangleAddress(tcp?.testNatResponse?.address ?? new Uint8Array()).host).toBe(STRANGER);
});

it('a second address of the server answers NAT tests: over UDP from there, over TCP by a dial', async () => {
  await rig.start({ bind: '127.0.0.1', secondAddress: '127.0.0.9' });
  const { rendezvous, natTest } = rig.server.ports;
  if (natTest === rendezvous) return;
  for (const fromOtherAddress of [false, true]) {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind({ address: '127.6.0.1' }, resolve));
    const answered = once(socket, 'message') as Promise<[Uint8Array, { address: string; port: number }]>;
    socket.send(encodeRendezvous({ testNatRequest: { wantAddress: true, fromOtherAddress, padding: new Uint8Array(64) } }), rendezvous, '127.0.0.1');
    const [bytes, from] = await answered;
    const { otherAddress } = decodeRendezvous(bytes).testNatResponse ?? {};
    expect(unmangleAddress(otherAddress ?? new Uint8Array())).toEqual({ host: '127.0.0.9', port: rendezvous });
    expect(from).toMatchObject({ address: fromOtherAddress ? '127.0.0.9' : '127.0.0.1', port: rendezvous });
    socket.close();
  }
  const { ARRIVED, SILENT, NOT_DIALLED } = hbb.TestNatResponse.DialBack;
  const client = await rig.tcp('127.6.0.5');
  // Nobody listens there.
  const refused = await ask(client, { testNatRequest: { wantAddress: true, fromOtherPort: true } });
  expect(refused?.testNatResponse).toMatchObject({ otherPort: natTest, fromOtherPort: SILENT, fromOtherAddress: SILENT });
  // And again at once: not so often.
  const tooSoon = await ask(await rig.tcp('127.6.0.5'), { testNatRequest: { wantAddress: true, fromOtherPort: true } });
  expect(tooSoon?.testNatResponse?.fromOtherPort ?? NOT_DIALLED).toBe(NOT_DIALLED);
  expect(ARRIVED).not.toBe(SILENT);
});

it('stock clients get their NAT test over UDP: at once where they connected or registered before, else at the third copy', async () => {
  await rig.start();
  const request = { testNatRequest: {} };
  const connected = await rig.udp('127.6.0.1');
  await ask(await rig.tcp('127.6.0.1'), request);
  expect((await ask(connected, request)).testNatResponse?.port).toBe(connected.localPort);
  const registered = await rig.udp('127.6.0.2');
  await rig.peer('127.6.0.2', 'anotherpeer');
  expect((await ask(registered, request)).testNatResponse?.port).toBe(registered.localPort);
  const early = await rig.udp('127.6.0.4');
  for (let i = 0; i < 2; i++) say(early, request);
  await expectUnanswered(early);
  // A controller's connection follows its datagrams.
  await rig.tcp('127.6.0.4');
  expect((await receive(early)).testNatResponse?.port).toBe(early.localPort);
  const stranger = await rig.udp('127.6.0.3');
  for (let i = 0; i < 3; i++) say(stranger, request);
  expect((await receive(stranger)).testNatResponse?.port).toBe(stranger.localPort);
});

async function expectUnanswered(client: { readonly inbox: { readonly size: number } }): Promise<void> {
  await fence();
  expect(client.inbox.size).toBe(0);
}
