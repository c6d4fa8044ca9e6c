/** The relay over UDP (docs/protocol.md), on the classic ports and on a single one, and joined with ends that come otherwise. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../../test/lib/until.ts';
import { initCrypto } from '../../core/crypto/index.ts';
import type { Link } from '../../core/link.ts';
import { encodeRendezvous, type hbb } from '../../core/wire/index.ts';
import { dialTcp, TcpLink } from '../../net/index.ts';
import { openRelayUdp } from '../../net/relay-udp.ts';
import { dialWebSocket } from '../../net/ws.ts';
import { startServer } from '../index.ts';
import { A, ask, B, ID, receive, Rig, say } from './rig.ts';

const HOST = '127.0.0.1';
const rig = Rig.forEachTest();
const links: Link[] = [];
const never = new AbortController().signal;

beforeAll(() => initCrypto());
afterEach(() => {
  for (const link of links.splice(0)) link.destroy();
});

function track<T extends Link>(link: T): T {
  links.push(link);
  return link;
}

async function udp(request: hbb.IRequestRelay, port = rig.server.ports.relay): Promise<Link> {
  return track(await openRelayUdp({ relay: { host: HOST, port }, request: { licenceKey: rig.server.publicKey, ...request }, signal: never }));
}

async function tcp(request: hbb.IRequestRelay): Promise<Link> {
  const link = track(new TcpLink(await dialTcp({ host: HOST, port: rig.server.ports.relay })));
  link.send(encodeRendezvous({ requestRelay: { licenceKey: rig.server.publicKey, ...request } }));
  return link;
}

async function ws(request: hbb.IRequestRelay): Promise<Link> {
  const link = track(await dialWebSocket(`ws://${HOST}:${rig.server.ports.relayWs}/`, {}));
  link.send(encodeRendezvous({ requestRelay: { licenceKey: rig.server.publicKey, ...request } }));
  return link;
}

function frames(link: Link): { next(): Promise<Uint8Array | null> } {
  const got: Uint8Array[] = [];
  let closed = false;
  let wake = (): void => {};
  link.setHandlers({
    onFrame: (payload) => {
      got.push(payload);
      wake();
    },
    onClose: () => {
      closed = true;
      wake();
    },
  });
  return {
    async next() {
      while (got.length === 0 && !closed) await new Promise<void>((resolve) => (wake = resolve));
      return got.shift() ?? null;
    },
  };
}

const text = (bytes: Uint8Array | null): string | null => bytes && Buffer.from(bytes).toString();

describe('with an open relay', () => {
  it.each([
    ['UDP', udp],
    ['TCP', tcp],
    ['WebSocket', ws],
  ] as const)('an end by UDP and one by %s talk, what was sent ahead first', async (_name, other) => {
    await rig.start({ openRelay: true });
    const uuid = randomUUID();
    const a = await udp({ uuid, relaySide: 1 });
    a.send(Buffer.from('ahead'));
    const b = await other({ uuid });
    b.send(Buffer.from('of the other'));
    const [fromA, fromB] = [frames(b), frames(a)];
    expect([text(await fromA.next()), text(await fromB.next())]).toEqual(['ahead', 'of the other']);
    expect(rig.server.stats()['relayPairs']).toBe(1);
    a.close();
    expect(await fromA.next()).toBeNull();
  });

  it('much arrives as it was, in both directions, also where one end reads slowly', { timeout: 60_000 }, async () => {
    await rig.start({ openRelay: true });
    const uuid = randomUUID();
    const [a, b] = [await udp({ uuid, relaySide: 1 }), await tcp({ uuid })];
    const pieces = Array.from({ length: 64 }, () => randomBytes(64 * 1024));
    const wanted = pieces.reduce((hash, piece) => hash.update(piece), createHash('sha256')).digest('hex');
    const hashes = await Promise.all(
      ([[a, b], [b, a]] as const).map(async ([from, to]) => {
        const incoming = frames(to);
        for (const piece of pieces) from.send(piece);
        const hash = createHash('sha256');
        for (let i = 0; i < pieces.length; i++) {
          hash.update((await incoming.next()) ?? new Uint8Array());
          if (i === 10) {
            to.pause();
            setImmediate(() => to.resume());
          }
        }
        return hash.digest('hex');
      }),
    );
    expect(hashes).toEqual([wanted, wanted]);
  });

  it('two ways of one side are never joined with each other, and the other side meets the datagrams', async () => {
    await rig.start({ openRelay: true });
    const uuid = randomUUID();
    const [byTcp, byUdp] = [await tcp({ uuid, relaySide: 1 }), await udp({ uuid, relaySide: 1 })];
    const [ofTcp, ofUdp] = [frames(byTcp), frames(byUdp)];
    await waiting(2);
    const other = await tcp({ uuid, relaySide: 2 });
    other.send(Buffer.from('hello'));
    expect(text(await ofUdp.next())).toBe('hello');
    other.destroy();
    expect(await ofUdp.next()).toBeNull();
    byTcp.destroy();
    expect(await ofTcp.next()).toBeNull();
  });
});

it('the blocked get no answer, and sessions are cut when their address is blocked', async () => {
  writeFileSync(join(rig.dir, 'blocklist.txt'), `${HOST}\n`);
  await rig.start({ openRelay: true });
  await udp({ uuid: 'u' });
  await until(() => (rig.server.stats()['relay-blocked'] ?? 0) > 0);
  expect([rig.server.stats()['relayWaiting'], rig.server.stats()['relayHeld']]).toEqual([0, 0]);
});

describe('what was introduced', () => {
  /** A asks for the registered B and waits at the relay; what both are told. */
  async function introduced(uuid: string): Promise<{ meeting: hbb.RelayMeeting; push: hbb.PunchHole }> {
    const b = await rig.peer();
    // So that its address counts as proven, and it is pushed more than the plain message.
    await rig.tcp(B);
    const a = await rig.tcp(HOST);
    say(a, rig.punch({ relayUuid: uuid, wantTicket: true }));
    const push = (await receive(b)).punchHole as hbb.PunchHole;
    const meeting = (await receive(a)).relayMeeting as hbb.RelayMeeting;
    return { meeting, push };
  }

  it('meets over UDP with the ticket of the push, before the answer is at the server; the ticket is good by another way too', async () => {
    await rig.start();
    const uuid = randomUUID();
    const a = frames(await udp({ uuid, relaySide: 1 }));
    const { meeting, push } = await introduced(uuid);
    expect([meeting.uuid, meeting.pk.length > 64, push.relayUuid, push.relayUdp]).toEqual([uuid, true, uuid, true]);
    const ticket = { uuid, relayTicket: push.relayTicket, relaySide: 2 };
    const b = await udp(ticket);
    b.send(Buffer.from('offer'));
    expect(text(await a.next())).toBe('offer');
    // The place is taken: the same ticket by TCP leads nowhere.
    expect(await frames(await tcp(ticket)).next()).toBeNull();
    expect(rig.server.stats()['relayPairs']).toBe(1);
  });

  it('a stock controller and a stock push have nothing of it', async () => {
    await rig.start();
    const b = await rig.peer();
    const a = await rig.tcp(A);
    say(a, rig.punch());
    const { punchHole } = await receive(b);
    expect([punchHole?.relayUuid, punchHole?.relayUdp]).toEqual(['', false]);
    expect((await ask(await rig.tcp(A), { testNatRequest: { serial: 1 } })).testNatResponse?.relayUdp).toBe(false);
    expect((await ask(await rig.tcp(A), { testNatRequest: { serial: 1, wantRelays: true } })).testNatResponse?.relayUdp).toBe(true);
    expect(a.inbox.size).toBe(0);
    expect((await ask(await rig.tcp(A), rig.punch({ id: `${ID}0`, relayUuid: randomUUID() }))).union).toBe('punchHoleResponse');
  });

  it('an end without introduction is held and cut, by datagrams as otherwise', async () => {
    await rig.start({ limits: { relayHeldMs: 50 } });
    expect(await frames(await udp({ uuid: randomUUID() })).next()).toBeNull();
    expect(rig.server.stats()['relay-not-introduced']).toBe(1);
  });

  it('is not sent to our datagrams where another relay was configured', async () => {
    await rig.start({ relays: ['192.0.2.1:21117'] });
    const { push } = await introduced(randomUUID());
    expect(push.relayUdp).toBe(false);
  });
});

it('a single port takes the datagrams of both, and keeps them apart', async () => {
  const server = await startServer({ dataDir: rig.dir, ports: { rendezvous: -1 }, openRelay: true });
  const { rendezvous: single } = server.ports;
  await server.close();
  await rig.start({ ports: { rendezvous: 0, single }, openRelay: true });
  const uuid = randomUUID();
  const [a, b] = [await udp({ uuid, relaySide: 1 }, single), await udp({ uuid, relaySide: 2 }, single)];
  a.send(Buffer.from('hello'));
  expect(text(await frames(b).next())).toBe('hello');
});

async function waiting(count: number): Promise<void> {
  await until(() => rig.server.stats()['relayWaiting'] === count);
}
