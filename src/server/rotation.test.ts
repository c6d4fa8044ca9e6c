/** Clients with the old, the new and a wrong key, before and after the server's key is changed under them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { clientKeyExchange, fingerprint, followKeyStatements, keyId, openIdPk } from '../core/crypto/index.ts';
import { decodeRendezvous, encodeFrame, encodeRendezvous, hbb } from '../core/wire/index.ts';
import { type RunningServer, startServer } from './index.ts';
import { type TestClient, tcpClient, udpClient } from './test-wire.ts';

const ID = '123456789';
const DAY_MS = 86_400_000;
const PUBLIC_KEY = 'OeVuKk5nlHiXp+APNn0Y3pC1Iwpwn44JGqrQCsWqmBw=';
const { Failure } = hbb.PunchHoleResponse;

let dir: string;
let server: RunningServer;
let clients: TestClient[];
let host: TestClient;
let oldKey: string;

const track = (client: TestClient): TestClient => {
  clients.push(client);
  return client;
};
const tcp = async (from = '127.0.0.101'): Promise<TestClient> => track(await tcpClient(server.ports.rendezvous, from));
async function receive(client: TestClient): Promise<hbb.RendezvousMessage> {
  const bytes = await client.inbox.next();
  if (!bytes) throw new Error('closed');
  return decodeRendezvous(bytes);
}
/** One whole introduction by a stock-style pair, in which the controller has `licenceKey`. */
async function introduce(licenceKey: string): Promise<hbb.IPunchHoleResponse> {
  const a = await tcp();
  a.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey, natType: hbb.NatType.ASYMMETRIC } }));
  const first = await Promise.race([receive(a), receive(host)]);
  if (first.punchHoleResponse) return first.punchHoleResponse;
  const b = await tcp('127.0.0.102');
  const { socketAddr } = first.punchHole ?? {};
  b.send(encodeRendezvous({ punchHoleSent: { socketAddr: socketAddr as Uint8Array, id: ID, version: '1.4.6' } }));
  return (await receive(a)).punchHoleResponse ?? {};
}
const verified = (pk: Uint8Array | null | undefined, key: string): string | undefined =>
  openIdPk(pk ?? new Uint8Array(0), new Uint8Array(Buffer.from(key, 'base64')))?.id;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-rotation-'));
  clients = [];
  // Long enough that a client that means to speak has spoken, also on a busy machine.
  server = await startServer({ dataDir: dir, ports: { rendezvous: -1 }, limits: { greetingDelayMs: 1_000 } });
  oldKey = server.publicKey;
  host = track(await udpClient(server.ports.rendezvous, '127.0.0.102'));
  const registerPk = { id: ID, uuid: new Uint8Array(8).fill(1), pk: new Uint8Array(32).fill(7) };
  host.send(encodeRendezvous({ registerPk }));
  expect((await receive(host)).registerPkResponse?.result).toBe(0);
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  await server.close();
  rmSync(dir, { recursive: true });
});

it('signs for each controller with the key that it has, old or new', async () => {
  expect(verified((await introduce(oldKey)).pk, oldKey)).toBe(ID);
  server.rotateKey(30 * DAY_MS);
  expect(server.publicKey).not.toBe(oldKey);
  expect(server.invitation).toContain(server.publicKey.slice(0, 20).replaceAll('+', '-'));
  const old = await introduce(oldKey);
  expect(verified(old.pk, oldKey)).toBe(ID);
  expect(old.serverKeyId).toEqual(keyId(server.publicKey));
  const fresh = await introduce(server.publicKey);
  expect(verified(fresh.pk, server.publicKey)).toBe(ID);
  expect(fresh.serverKeyId?.length ?? 0).toBe(0);
  server.rotateKey(0);
  expect((await introduce(oldKey)).failure).toBe(Failure.LICENSE_MISMATCH);
});

it('serves the statements by which a pinned client moves on', async () => {
  server.rotateKey(30 * DAY_MS);
  const pinned = new Uint8Array(Buffer.from(oldKey, 'base64'));
  const registration = { id: ID, uuid: new Uint8Array(8).fill(1), pk: new Uint8Array(32).fill(7), serverKeyId: keyId(oldKey) };
  const request = encodeRendezvous({ registerPk: registration });
  host.send(request);
  const bytes = await host.inbox.next();
  expect(bytes?.length).toBeLessThanOrEqual(request.length);
  expect(decodeRendezvous(bytes as Uint8Array).registerPkResponse?.serverKeyId).toEqual(keyId(server.publicKey));
  const client = await tcp();
  client.send(encodeRendezvous({ serverKeyRequest: { serverKeyId: keyId(oldKey) } }));
  const { statements } = (await receive(client)).serverKeyResponse ?? {};
  expect(Buffer.from(followKeyStatements(statements ?? [], pinned, Date.now() / 1000) ?? []).toString('base64')).toBe(server.publicKey);
  const stranger = await tcp();
  stranger.send(encodeRendezvous({ serverKeyRequest: { serverKeyId: keyId(PUBLIC_KEY) } }));
  expect((await receive(stranger)).serverKeyResponse?.statements).toEqual([]);
  host.send(encodeRendezvous({ registerPk: { ...registration, serverKeyId: keyId(server.publicKey) } }));
  expect((await receive(host)).registerPkResponse?.serverKeyId?.length).toBe(0);
});

it('tells a controller with another key both fingerprints, and one without a key that none is set', async () => {
  const other = Buffer.alloc(32, 9).toString('base64');
  const wrong = await introduce(other);
  expect(wrong.failure).toBe(Failure.LICENSE_MISMATCH);
  expect(wrong.serverKeyId).toEqual(keyId(server.publicKey));
  expect(wrong.otherFailure).toContain(fingerprint(other));
  expect(wrong.otherFailure).toContain(fingerprint(server.publicKey));
  const none = await introduce(PUBLIC_KEY);
  expect(none.otherFailure).toContain('no key is set');
  // What is no key at all gets the answer of the stock server, byte for byte.
  const a = await tcp();
  a.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: 'wrong' } }));
  expect(Buffer.from((await a.inbox.next()) ?? []).toString('hex')).toBe('5a021803');
});

it('greets a client that hung up on one key with the other the next time', async () => {
  server.rotateKey(30 * DAY_MS);
  const greetedBy = async (): Promise<string> => {
    const client = await tcp('127.0.0.120');
    const message = (await receive(client)).keyExchange ?? {};
    client.destroy();
    for (const key of [oldKey, server.publicKey])
      if (clientKeyExchange(message, new Uint8Array(Buffer.from(key, 'base64')))) return key === oldKey ? 'old' : 'new';
    return 'neither';
  };
  const seen: string[] = [];
  // The end of a connection may be noticed after the next one has begun.
  for (let i = 0; i < 20 && !(seen.includes('old') && seen.includes('new')); i++) seen.push(await greetedBy());
  expect(seen[0]).toBe('new');
  expect(seen).toContain('old');
});

it('the relay takes both keys while they overlap', async () => {
  server.rotateKey(30 * DAY_MS);
  for (const licenceKey of [oldKey, server.publicKey]) {
    const end = track(await tcpClient(server.ports.relay, '127.0.0.101'));
    end.sendRaw(encodeFrame(encodeRendezvous({ requestRelay: { uuid: `by ${licenceKey}`, licenceKey } })));
  }
  while (server.stats().relayHeld !== 2) await new Promise((resolve) => setImmediate(resolve));
  expect(server.stats()['relay-wrong-key'] ?? 0).toBe(0);
});
