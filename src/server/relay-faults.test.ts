/** What the relay withstands: giant lengths, crowds that wait, limits of speed, and sessions that meet all the while. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { until } from '../../test/lib/until.ts';
import { VirtualClock } from '../core/clock.ts';
import { decodeRendezvous, encodeFrame, encodeRendezvous, hbb } from '../core/wire/index.ts';
import { Bandwidth } from './bandwidth.ts';
import { A, B, STRANGER, ServerUnderTest, closed, turn } from './test-server.ts';
import { type TestClient, tcpClient, udpClient, wsClient } from './test-wire.ts';
import { CONTROLLER, sealTicket } from './tickets.ts';

/** Announces 2^30-1 bytes. */
const GIANT = Uint8Array.from([0xff, 0xff, 0xff, 0xff, 1, 2, 3]);

const rig = new ServerUnderTest();

const hello = (uuid: string, relayTicket?: Uint8Array): Uint8Array =>
  encodeRendezvous({
    requestRelay: { uuid, licenceKey: rig.server.publicKey, ...(relayTicket ? { relayTicket } : {}) },
  });
const tcp = (from: string, port = rig.server.ports.relay, raw = true): Promise<TestClient> =>
  rig.tcp(from, port, raw);
async function joinRelay(from: string, uuid: string, ticket?: Uint8Array): Promise<TestClient> {
  const client = await tcp(from);
  client.sendRaw(encodeFrame(hello(uuid, ticket)));
  return client;
}
async function pair(uuid: string = randomUUID()): Promise<[TestClient, TestClient]> {
  const [a, b] = [await joinRelay(A, uuid), await joinRelay(B, uuid)];
  b.sendRaw(Buffer.from('!'));
  expect(String(await a.inbox.next())).toBe('!');
  return [a, b];
}
/** Bytes that came and come while nothing but the sockets' own buffers moves. */
async function drained(client: TestClient): Promise<number> {
  let bytes = 0;
  for (let idle = 0; idle < 200; idle++) {
    while (client.inbox.size > 0) {
      bytes += (await client.inbox.next())?.length ?? 0;
      idle = 0;
    }
    await turn();
  }
  return bytes;
}

describe('lengths', () => {
  it('cuts who announces a giant first frame, at once', async () => {
    await rig.start();
    const giant = await tcp(STRANGER);
    giant.sendRaw(GIANT);
    await closed(giant);
  });

  it('cuts a pair whose TCP end announces a giant message to a WebSocket end', async () => {
    await rig.start({ openRelay: true });
    const uuid = randomUUID();
    const ws = rig.track(await wsClient(rig.server.ports.relayWs, { localAddress: A }));
    ws.send(hello(uuid));
    const end = await joinRelay(B, uuid);
    end.sendRaw(encodeFrame(Buffer.from('small')));
    expect(Buffer.from((await ws.inbox.next()) ?? []).toString()).toBe('small');
    end.sendRaw(GIANT);
    await Promise.all([closed(end), closed(ws)]);
    await until(() => rig.server.stats().relayPairs === 0);
  });

  it('gives raw streams no lengths: what looks like one is passed on', async () => {
    await rig.start({ openRelay: true });
    const [a, b] = await pair();
    a.sendRaw(GIANT);
    expect(Uint8Array.from((await b.inbox.next()) ?? [])).toEqual(GIANT);
  });

  it('refuses a long uuid and an empty one', async () => {
    await rig.start();
    for (const uuid of ['', 'x'.repeat(257)]) await closed(await joinRelay(STRANGER, uuid));
  });
});

describe('crowds', () => {
  it('of one address wait in its own places only', async () => {
    await rig.start({ openRelay: true, limits: { maxRelayWaitingPerAddress: 5 } });
    const crowd: TestClient[] = [];
    for (let i = 0; i < 8; i++) crowd.push(await joinRelay(STRANGER, randomUUID()));
    await until(() => rig.server.stats()['relay-too-many-waiting'] === 3);
    expect(rig.server.stats().relayWaiting).toBe(5);
    await pair();
    // A place is free again when somebody leaves it.
    for (const client of crowd) client.destroy();
    await until(() => rig.server.stats().relayWaiting === 0);
    await joinRelay(STRANGER, randomUUID());
    await until(() => rig.server.stats().relayWaiting === 1);
  });

  it('that guess, replay, announce and say nothing do not keep sessions from meeting', async () => {
    await rig.start({ limits: { maxConnectionsPerAddress: 300 } });
    const id = '123456789';
    const b = rig.track(await udpClient(rig.server.ports.rendezvous, B));
    b.send(
      encodeRendezvous({
        registerPk: { id, uuid: new Uint8Array(8).fill(1), pk: new Uint8Array(32).fill(7) },
      }),
    );
    const registered = decodeRendezvous((await b.inbox.next()) ?? new Uint8Array(0));
    expect(registered.registerPkResponse?.result).toBe(hbb.RegisterPkResponse.Result.OK);
    const secret = new Uint8Array(Buffer.from(readFileSync(join(rig.dir, 'id_ed25519'), 'utf8'), 'base64'));
    const overheard = randomUUID();
    const ticket = sealTicket({ uuid: overheard, side: CONTROLLER }, secret, Date.now());
    await joinRelay(A, overheard, ticket);
    await until(() => rig.server.stats().relayWaiting === 1);
    const attackers: TestClient[] = [];
    let attacking = true;
    const attack = (async () => {
      for (let i = 0; attacking; i++) {
        const uuid = randomUUID();
        const attacker = await tcpClient(rig.server.ports.relay, `127.0.${1 + (i % 4)}.66`, true);
        attackers.push(attacker);
        if (i % 4 === 0) attacker.sendRaw(encodeFrame(hello(uuid)));
        if (i % 4 === 1) attacker.sendRaw(encodeFrame(hello(overheard, ticket)));
        if (i % 4 === 2) attacker.sendRaw(GIANT);
        // The oldest go in time, as a real one would be cut by the limits of connections.
        if (attackers.length > 400) attackers.shift()?.destroy();
        await turn();
      }
    })();
    for (let session = 0; session < 20; session++) {
      const uuid = randomUUID();
      const ask = await tcpClient(rig.server.ports.rendezvous, A);
      ask.send(encodeRendezvous({ requestRelay: { id, uuid, secure: true } }));
      const push = decodeRendezvous((await b.inbox.next()) ?? new Uint8Array(0)).requestRelay;
      expect(push?.uuid).toBe(uuid);
      const answer = await tcpClient(rig.server.ports.rendezvous, B);
      answer.send(
        encodeRendezvous({ relayResponse: { socketAddr: push?.socketAddr as Uint8Array, version: '1.4.6' } }),
      );
      expect(decodeRendezvous((await ask.inbox.next()) ?? new Uint8Array(0)).union).toBe('relayResponse');
      const [one, two] = session % 2 ? [A, B] : [B, A];
      const [x, y] = [
        await tcpClient(rig.server.ports.relay, one, true),
        await tcpClient(rig.server.ports.relay, two, true),
      ];
      x.sendRaw(encodeFrame(hello(uuid)));
      y.sendRaw(encodeFrame(hello(uuid)));
      x.sendRaw(Buffer.from('hello'));
      expect(String(await y.inbox.next())).toBe('hello');
      for (const client of [ask, answer, x, y]) client.destroy();
    }
    attacking = false;
    await attack;
    for (const attacker of attackers) attacker.destroy();
    const stats = rig.server.stats();
    expect(stats['relay-paired']).toBe(20);
    expect(stats['relay-ticket-replayed']).toBeGreaterThan(0);
    expect(stats.relayHeld).toBeLessThanOrEqual(1_024);
  });
});

describe('limits of speed (rendezvous §7.6)', () => {
  const MB = 1_000_000;

  it('one of a pair counts both directions', async () => {
    const clock = new VirtualClock();
    await rig.start({ openRelay: true, clock, limits: { relayPairBps: 8 * MB, relayTotalBps: 0 } });
    const [a, b] = await pair();
    a.sendRaw(Buffer.alloc(4 * MB));
    b.sendRaw(Buffer.alloc(4 * MB));
    const burst = (await drained(a)) + (await drained(b));
    // A quarter of a second's worth, and one read of each direction on top.
    expect(burst).toBeGreaterThan(0.2 * MB);
    expect(burst).toBeLessThan(0.6 * MB);
    let passed = 0;
    for (let ms = 0; ms < 2_000; ms += 100) {
      clock.advance(100);
      passed += (await drained(a)) + (await drained(b));
    }
    expect(passed).toBeGreaterThan(1.4 * MB);
    expect(passed).toBeLessThan(2.4 * MB);
  });

  it('one of all pairs is shared among them', async () => {
    const clock = new VirtualClock();
    await rig.start({ openRelay: true, clock, limits: { relayPairBps: 0, relayTotalBps: 8 * MB } });
    const pairs = [await pair(), await pair(), await pair()];
    for (const [a] of pairs) a.sendRaw(Buffer.alloc(4 * MB));
    for (const [, b] of pairs) await drained(b);
    const passed = [0, 0, 0];
    for (let ms = 0; ms < 1_500; ms += 100) {
      clock.advance(100);
      for (const [i, [, b]] of pairs.entries()) passed[i] = (passed[i] ?? 0) + (await drained(b));
    }
    const total = passed.reduce((sum, bytes) => sum + bytes, 0);
    expect(total).toBeGreaterThan(1 * MB);
    expect(total).toBeLessThan(2 * MB);
    for (const bytes of passed) expect(bytes).toBeGreaterThan(0.2 * MB);
  });

  it('the bucket gives what its rate says over any time', async () => {
    await rig.start();
    const clock = new VirtualClock();
    const limit = new Bandwidth(8_000_000, clock);
    let bytes = 0;
    for (let at = 0; at < 10_000; ) {
      bytes += 16_384;
      const rest = limit.take(16_384);
      clock.advance(rest);
      at += rest;
    }
    expect(bytes).toBeGreaterThan(9.8 * MB);
    expect(bytes).toBeLessThan(10.6 * MB);
  });
});
