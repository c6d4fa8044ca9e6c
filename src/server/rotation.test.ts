/** Clients with the old, the new and a wrong key, before and after the server's key is changed under them. */
import { beforeEach, expect, it } from 'vitest';
import { until } from '../../test/lib/until.ts';
import {
  clientKeyExchange,
  fingerprint,
  followKeyStatements,
  keyId,
  openIdPk,
} from '../core/crypto/index.ts';
import { decodeRendezvous, encodeFrame, encodeRendezvous, hbb } from '../core/wire/index.ts';
import { ServerUnderTest } from './test-server.ts';
import { receive, type TestClient, tcpClient, udpClient } from './test-wire.ts';

const ID = '123456789';
const DAY_MS = 86_400_000;
const PUBLIC_KEY = 'OeVuKk5nlHiXp+APNn0Y3pC1Iwpwn44JGqrQCsWqmBw=';
const { Failure } = hbb.PunchHoleResponse;

const rig = new ServerUnderTest();
let host: TestClient;
let oldKey: string;

/** One whole introduction by a stock-style pair, in which the controller has `licenceKey`. */
async function introduce(licenceKey: string): Promise<hbb.IPunchHoleResponse> {
  const a = await rig.tcp();
  a.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey, natType: hbb.NatType.ASYMMETRIC } }));
  const first = await Promise.race([receive(a), receive(host)]);
  if (first.punchHoleResponse) return first.punchHoleResponse;
  const b = await rig.tcp('127.0.0.102');
  const { socketAddr } = first.punchHole ?? {};
  b.send(
    encodeRendezvous({ punchHoleSent: { socketAddr: socketAddr as Uint8Array, id: ID, version: '1.4.6' } }),
  );
  return (await receive(a)).punchHoleResponse ?? {};
}
const verified = (pk: Uint8Array | null | undefined, key: string): string | undefined =>
  openIdPk(pk ?? new Uint8Array(0), new Uint8Array(Buffer.from(key, 'base64')))?.id;

beforeEach(async () => {
  // Long enough that a client that means to speak has spoken, also on a busy machine.
  await rig.start({ limits: { greetingDelayMs: 1_000 } });
  oldKey = rig.server.publicKey;
  host = rig.track(await udpClient(rig.server.ports.rendezvous, '127.0.0.102'));
  const registerPk = { id: ID, uuid: new Uint8Array(8).fill(1), pk: new Uint8Array(32).fill(7) };
  host.send(encodeRendezvous({ registerPk }));
  expect((await receive(host)).registerPkResponse?.result).toBe(0);
});
it('signs for each controller with the key that it has, old or new', async () => {
  expect(verified((await introduce(oldKey)).pk, oldKey)).toBe(ID);
  rig.server.rotateKey(30 * DAY_MS);
  expect(rig.server.publicKey).not.toBe(oldKey);
  expect(rig.server.invitation).toContain(rig.server.publicKey.slice(0, 20).replaceAll('+', '-'));
  const old = await introduce(oldKey);
  expect(verified(old.pk, oldKey)).toBe(ID);
  expect(old.serverKeyId).toEqual(keyId(rig.server.publicKey));
  const fresh = await introduce(rig.server.publicKey);
  expect(verified(fresh.pk, rig.server.publicKey)).toBe(ID);
  expect(fresh.serverKeyId?.length ?? 0).toBe(0);
  rig.server.rotateKey(0);
  expect((await introduce(oldKey)).failure).toBe(Failure.LICENSE_MISMATCH);
});

it('serves the statements by which a pinned client moves on', async () => {
  rig.server.rotateKey(30 * DAY_MS);
  const pinned = new Uint8Array(Buffer.from(oldKey, 'base64'));
  const registration = {
    id: ID,
    uuid: new Uint8Array(8).fill(1),
    pk: new Uint8Array(32).fill(7),
    serverKeyId: keyId(oldKey),
  };
  const request = encodeRendezvous({ registerPk: registration });
  host.send(request);
  const bytes = await host.inbox.next();
  expect(bytes?.length).toBeLessThanOrEqual(request.length);
  expect(decodeRendezvous(bytes as Uint8Array).registerPkResponse?.serverKeyId).toEqual(
    keyId(rig.server.publicKey),
  );
  const client = await rig.tcp();
  client.send(encodeRendezvous({ serverKeyRequest: { serverKeyId: keyId(oldKey) } }));
  const { statements } = (await receive(client)).serverKeyResponse ?? {};
  expect(
    Buffer.from(followKeyStatements(statements ?? [], pinned, Date.now() / 1000) ?? []).toString('base64'),
  ).toBe(rig.server.publicKey);
  const stranger = await rig.tcp();
  stranger.send(encodeRendezvous({ serverKeyRequest: { serverKeyId: keyId(PUBLIC_KEY) } }));
  expect((await receive(stranger)).serverKeyResponse?.statements).toEqual([]);
  host.send(encodeRendezvous({ registerPk: { ...registration, serverKeyId: keyId(rig.server.publicKey) } }));
  expect((await receive(host)).registerPkResponse?.serverKeyId?.length).toBe(0);
});

it('tells a controller with another key both fingerprints, and one without a key that none is set', async () => {
  const other = Buffer.alloc(32, 9).toString('base64');
  const wrong = await introduce(other);
  expect(wrong.failure).toBe(Failure.LICENSE_MISMATCH);
  expect(wrong.serverKeyId).toEqual(keyId(rig.server.publicKey));
  expect(wrong.otherFailure).toContain(fingerprint(other));
  expect(wrong.otherFailure).toContain(fingerprint(rig.server.publicKey));
  const none = await introduce(PUBLIC_KEY);
  expect(none.otherFailure).toContain('no key is set');
  // What is no key at all gets the answer of the stock server, byte for byte.
  const a = await rig.tcp();
  a.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: 'wrong' } }));
  expect(Buffer.from((await a.inbox.next()) ?? []).toString('hex')).toBe('5a021803');
});

it('greets a client that hung up on one key with the other the next time', async () => {
  rig.server.rotateKey(30 * DAY_MS);
  const greetedBy = async (): Promise<string> => {
    const client = await rig.tcp('127.0.0.120');
    const message = (await receive(client)).keyExchange ?? {};
    client.destroy();
    for (const key of [oldKey, rig.server.publicKey])
      if (clientKeyExchange(message, new Uint8Array(Buffer.from(key, 'base64'))))
        return key === oldKey ? 'old' : 'new';
    return 'neither';
  };
  const seen: string[] = [];
  // The end of a connection may be noticed after the next one has begun.
  for (let i = 0; i < 20 && !(seen.includes('old') && seen.includes('new')); i++)
    seen.push(await greetedBy());
  expect(seen[0]).toBe('new');
  expect(seen).toContain('old');
});

it('the relay takes both keys while they overlap', async () => {
  rig.server.rotateKey(30 * DAY_MS);
  for (const licenceKey of [oldKey, rig.server.publicKey]) {
    const end = rig.track(await tcpClient(rig.server.ports.relay, '127.0.0.101'));
    end.sendRaw(encodeFrame(encodeRendezvous({ requestRelay: { uuid: `by ${licenceKey}`, licenceKey } })));
  }
  await until(() => rig.server.stats().relayHeld === 2);
  expect(rig.server.stats()['relay-wrong-key'] ?? 0).toBe(0);
});
