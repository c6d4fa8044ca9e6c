/** Connections to the relay that name their session later (docs/protocol.md, `relay_park`). */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { until } from '../../../test/lib/until.ts';
import { encodeFrame, encodeRendezvous } from '../../core/wire/index.ts';
import type { TestClient } from '../test-wire.ts';
import { A, B, expectClosed, Rig, STRANGER } from './rig.ts';

const rig = Rig.forEachTest();
const PARK = encodeRendezvous({ relayPark: {} });
const SIGN = new Uint8Array(0);

const named = (uuid: string): Uint8Array => encodeRendezvous({ requestRelay: { uuid, licenceKey: rig.server.publicKey } });
const text = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString();

async function parkTcp(from = B): Promise<TestClient> {
  const client = await rig.tcp(from, rig.server.ports.relay, true);
  client.send(PARK);
  return client;
}

async function parked(count: number): Promise<void> {
  await until(() => rig.server.stats()['relayParked'] === count);
}

it('takes its session when it names one, by TCP and by WebSocket, with what was sent ahead', async () => {
  await rig.start({ openRelay: true });
  const a = await parkTcp(A);
  const b = await rig.ws(B, { port: rig.server.ports.relayWs });
  b.send(PARK);
  await parked(2);
  const uuid = randomUUID();
  a.sendRaw(Buffer.concat([SIGN, named(uuid), Buffer.from('ahead')].map((payload) => encodeFrame(payload))));
  b.send(SIGN);
  b.send(named(uuid));
  expect(text(await b.inbox.next())).toBe('ahead');
  b.send(Buffer.from('back'));
  expect(text(await a.inbox.next())).toBe(text(encodeFrame(Buffer.from('back'))));
  expect([rig.server.stats()['relayParked'], rig.server.stats()['relayPairs']]).toEqual([0, 1]);
});

it('stays longer than one that says nothing, for as long as it gives signs of life', async () => {
  await rig.startVirtual({ openRelay: true, limits: { frameTimeoutMs: 1_000, presenceSilenceMs: 5_000 } });
  const client = await parkTcp();
  await parked(1);
  rig.clock.advance(4_000);
  client.send(SIGN);
  const other = await parkTcp(A);
  await parked(2);
  rig.clock.advance(4_000);
  other.destroy();
  await parked(1);
  rig.clock.advance(1_100);
  await expectClosed(client);
  await parked(0);
});

it('is refused beyond its limits, and when it says something else', async () => {
  await rig.start({ limits: { maxRelayParked: 2, maxRelayParkedPerAddress: 1 } });
  const first = await parkTcp();
  await parked(1);
  await expectClosed(await parkTcp());
  const second = await parkTcp(A);
  await parked(2);
  await expectClosed(await parkTcp(STRANGER));
  expect(rig.server.stats()['relay-too-many-parked']).toBe(2);
  for (const [client, words] of [[first, PARK], [second, named('')]] as const) {
    client.send(words);
    await expectClosed(client);
  }
  await parked(0);
});
