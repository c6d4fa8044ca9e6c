/** 100,000 ids from one address, and from many forged ones: those who are here stay, and are introduced throughout. */
import { createSocket } from 'node:dgram';
import { expect, it } from 'vitest';
import { encodeRendezvous } from '../../core/wire/index.ts';
import type { TestClient } from '../test-wire.ts';
import { A, ask, ID, PK, receive, Rig, say, STRANGER, UUID, VERSION } from './rig.ts';

const rig = Rig.forEachTest();
const IDS = 100_000;

async function introduce(b: TestClient): Promise<void> {
  const a = await rig.punchFrom(A, { udpPort: 40_000 });
  let push = await receive(b);
  while (push.union !== 'punchHole') push = await receive(b);
  const { socketAddr } = push.punchHole ?? {};
  say(b, { punchHoleSent: { socketAddr, id: ID, version: VERSION } });
  expect((await receive(a)).punchHoleResponse?.isUdp).toBe(true);
  a.destroy();
}

const register = (i: number): Uint8Array => encodeRendezvous({ registerPk: { id: `flood-${i}`, uuid: UUID, pk: PK } });

it('from one address', { timeout: 60_000 }, async () => {
  await rig.start();
  const b = await rig.peer();
  const flood = await rig.udp(STRANGER);
  for (let i = 0; i < IDS; i++) {
    flood.send(register(i));
    if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    if (i % 10_000 === 0) await introduce(b);
  }
  await introduce(b);
  expect((await ask(b, { registerPeer: { id: ID } })).registerPeerResponse?.requestPk).toBe(false);
  expect(rig.server.stats()['peersInMemory']).toBeLessThan(400);
});

it('from forged addresses, into a table that is full of them', { timeout: 60_000 }, async () => {
  await rig.start({ limits: { maxPeersInMemory: 2_000 } });
  const b = await rig.peer();
  for (let host = 0; host < 200; host++) {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind({ address: `127.9.0.${host + 1}` }, resolve));
    const sent = Array.from({ length: 30 }, (_, i) => new Promise((resolve) => socket.send(register(host * 100 + i), rig.server.ports.rendezvous, '127.0.0.1', resolve)));
    await Promise.all(sent);
    socket.close();
    if (host % 50 === 0) await introduce(b);
  }
  await introduce(b);
  expect(rig.server.stats()['peersInMemory']).toBeLessThanOrEqual(2_000);
});
