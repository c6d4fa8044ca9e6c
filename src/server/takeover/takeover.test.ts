/** Started where hbbs ran (rendezvous §1.6, §1.7): same key, every id known under its uuid, nothing of hbbs changed. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { initCrypto, signKeyPair } from '../../core/crypto/index.ts';
import { decodeRendezvous, encodeRendezvous, hbb } from '../../core/wire/index.ts';
import { type RunningServer, type ServerOptions, startServer } from '../index.ts';
import { openPeerStore } from '../open-store.ts';
import { sqliteModule } from '../sqlite-store.ts';
import { tcpClient, type TestClient, udpClient } from '../test-wire.ts';
import type { PeerStore } from '../peer-store.ts';
import { localTarget, sharedTarget, type Takeover, takeOverPeers } from './stock-peers.ts';

const sqlite = sqliteModule();
const Result = hbb.RegisterPkResponse.Result;
const Failure = hbb.PunchHoleResponse.Failure;
/** As hbbs creates it. */
const STOCK_SCHEMA = `
create table if not exists peer (guid blob primary key not null, id varchar(100) not null, uuid blob not null, pk blob not null,
  created_at datetime not null default(current_timestamp), user blob, status tinyint, note varchar(300), info text not null) without rowid;
create unique index if not exists index_peer_id on peer (id);
create index if not exists index_peer_user on peer (user);
create index if not exists index_peer_created_at on peer (created_at);
create index if not exists index_peer_status on peer (status);`;
const PEERS = 1_000;

let dir: string;
let publicKey: string;
let server: RunningServer | undefined;
let clients: TestClient[];

const idOf = (n: number): string => String(100_000_000 + n * 7_919);
const uuidOf = (n: number): Buffer => createHash('md5').update(`machine ${n}`).digest();
const pkOf = (n: number): Buffer => createHash('sha256').update(`key ${n}`).digest();

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-takeover-'));
  clients = [];
  await initCrypto();
  const pair = signKeyPair(createHash('sha256').update('hbbs').digest());
  publicKey = Buffer.from(pair.publicKey).toString('base64');
  writeFileSync(join(dir, 'id_ed25519'), Buffer.from(pair.secretKey).toString('base64'));
  writeFileSync(join(dir, 'id_ed25519.pub'), publicKey);
});
afterEach(async () => {
  for (const client of clients) client.destroy();
  await server?.close();
  server = undefined;
  rmSync(dir, { recursive: true });
});

/** hbbs that was killed: part of the peers only in the write-ahead log. */
function stockFolder(): void {
  const live = mkdtempSync(join(tmpdir(), 'litedesk-hbbs-'));
  const db = openStock(live);
  db.exec(`pragma journal_mode = wal; ${STOCK_SCHEMA}`);
  insert(db, 0, PEERS * 0.7);
  db.exec('pragma wal_checkpoint(truncate)');
  insert(db, PEERS * 0.7, PEERS);
  for (const file of readdirSync(live)) cpSync(join(live, file), join(dir, file));
  db.close();
  rmSync(live, { recursive: true });
}
function openStock(folder: string): DatabaseSync {
  if (!sqlite) throw new Error('no SQLite here');
  return new sqlite.DatabaseSync(join(folder, 'db_v2.sqlite3'));
}
function insert(db: DatabaseSync, from: number, to: number): void {
  const statement = db.prepare('insert into peer (guid, id, uuid, pk, info) values (?, ?, ?, ?, ?)');
  for (let n = from; n < to; n++) {
    const guid = createHash('md5').update(`guid ${n}`).digest();
    statement.run(guid, idOf(n), uuidOf(n), pkOf(n), JSON.stringify({ ip: n % 2 ? '::ffff:203.0.113.7' : '203.0.113.7' }));
  }
}
const stockFiles = (): string[] =>
  readdirSync(dir)
    .filter((name) => /^(db_v2\.sqlite3|id_ed25519)/.test(name))
    .map((name) => `${name} ${createHash('sha256').update(readFileSync(join(dir, name))).digest('hex')}`);

async function takeOver(store: PeerStore): Promise<Takeover | null> {
  const target = localTarget(store);
  if (!target) throw new Error('the store takes no rows');
  return takeOverPeers(target, { dataDir: dir });
}
async function start(options: Partial<ServerOptions> = {}): Promise<RunningServer> {
  server = await startServer({ dataDir: dir, ports: { rendezvous: -1 }, ...options });
  return server;
}
async function failureOf(id: string): Promise<hbb.PunchHoleResponse.Failure | null | undefined> {
  const client = await tcpClient(server?.ports.rendezvous ?? 0);
  clients.push(client);
  client.send(encodeRendezvous({ punchHoleRequest: { id, licenceKey: publicKey } }));
  const reply = await client.inbox.next();
  client.destroy();
  return reply && decodeRendezvous(reply).punchHoleResponse?.failure;
}
async function register(from: string, n: number, uuid: Uint8Array): Promise<unknown> {
  const client = await udpClient(server?.ports.rendezvous ?? 0, from);
  clients.push(client);
  client.send(encodeRendezvous({ registerPk: { id: idOf(n), uuid, pk: pkOf(n) } }));
  const reply = await client.inbox.next();
  client.destroy();
  return reply && decodeRendezvous(reply).registerPkResponse?.result;
}

it.runIf(sqlite)('takes over a folder with 1,000 peers, and leaves the files of hbbs alone', async () => {
  stockFolder();
  const before = stockFiles();
  expect(before.map((line) => line.split(' ')[0])).toContain('db_v2.sqlite3-wal');
  const said: unknown[] = [];
  const { publicKey: key } = await start({ log: (_level, event, fields) => event === 'computers-taken-over' && said.push(fields) });
  expect(key).toBe(publicKey);
  expect(said).toEqual([{ file: join(dir, 'db_v2.sqlite3'), found: PEERS, added: PEERS }]);
  // Known, though none has come back so far.
  for (const n of [0, 1, 699, 700, 999]) expect(await failureOf(idOf(n))).toBe(Failure.OFFLINE);
  expect(await failureOf(idOf(PEERS))).toBe(Failure.ID_NOT_EXIST);
  // Each comes back with its uuid, all from one address; with another uuid nobody takes an id.
  for (let n = 0; n < PEERS; n += 50) expect(await register(`127.0.5.${n % 250}`, n, uuidOf(n + 1))).toBe(Result.UUID_MISMATCH);
  for (let first = 0; first < PEERS; first += 100) {
    const results = Array.from({ length: 100 }, (_, i) => register('127.0.4.1', first + i, uuidOf(first + i)));
    expect(new Set(await Promise.all(results))).toEqual(new Set([Result.OK]));
  }
  await server?.close();
  server = undefined;
  expect(stockFiles()).toEqual(before);
});

it.runIf(sqlite)('adds on a later start only what is new', async () => {
  stockFolder();
  const open = () => openPeerStore(dir, 1_000);
  let store = open();
  expect(await takeOver(store)).toMatchObject({ found: PEERS, added: PEERS });
  await store.close();
  store = open();
  expect(await takeOver(store)).toBeNull();
  await store.close();
  // Back to hbbs for a day: one new peer, one whose key is another now. Ours stays.
  const db = openStock(dir);
  insert(db, PEERS, PEERS + 1);
  db.prepare('update peer set pk = ? where id = ?').run(Buffer.alloc(32), idOf(3));
  db.close();
  store = open();
  expect(await takeOver(store)).toMatchObject({ found: PEERS + 1, added: 1 });
  expect(Buffer.from(store.get(idOf(3))?.pk ?? []).equals(pkOf(3))).toBe(true);
  expect(store.count()).toBe(PEERS + 1);
  await store.close();
});

it.runIf(sqlite)('works without SQLite in the runtime, and when the runtime changes', async () => {
  stockFolder();
  const journal = openPeerStore(dir, 1_000, null);
  expect(journal.kind).toBe('journal');
  expect(await takeOver(journal)).toMatchObject({ found: PEERS, added: PEERS });
  const row = journal.get(idOf(999));
  expect(row && Buffer.from(row.uuid).equals(uuidOf(999))).toBe(true);
  expect(row?.ip).toBe('::ffff:203.0.113.7');
  expect(journal.list?.(1, 2).map((entry) => entry.id)).toEqual([idOf(1), idOf(2)]);
  expect([await journal.remove?.(idOf(3)), await journal.remove?.(idOf(3))]).toEqual([true, false]);
  await journal.close();
  const database = openPeerStore(dir, 1_000);
  expect([database.kind, database.count()]).toEqual(['sqlite', PEERS - 1]);
  expect(database.list?.(0, 1).map((entry) => entry.id)).toEqual([idOf(0)]);
  expect([await database.remove?.(idOf(4)), await database.remove?.(idOf(4))]).toEqual([true, false]);
  await database.close();
  expect(existsSync(join(dir, 'peers.journal'))).toBe(false);
  const again = openPeerStore(dir, 1_000, null);
  expect([again.kind, again.count()]).toEqual(['journal', PEERS - 2]);
  await again.close();
});

it.runIf(sqlite)('hands the rows to a store that nodes share, a part at a time', async () => {
  stockFolder();
  const parts: number[] = [];
  const store: PeerStore = { kind: 'shared', get: () => null, save: () => {}, count: () => 1, close: () => {} };
  const target = sharedTarget(store, async (rows) => void parts.push(rows.length));
  expect(await takeOverPeers(target, { dataDir: dir })).toMatchObject({ found: PEERS });
  expect(parts.reduce((sum, part) => sum + part, 0)).toBe(PEERS);
  expect(await takeOverPeers(target, { dataDir: dir })).toBeNull();
});

it.runIf(sqlite)('takes the database from elsewhere when told so', async () => {
  stockFolder();
  const data = mkdtempSync(join(tmpdir(), 'litedesk-new-'));
  try {
    server = await startServer({ dataDir: data, ports: { rendezvous: -1 }, importDb: join(dir, 'db_v2.sqlite3') });
    publicKey = server.publicKey;
    expect(await failureOf(idOf(5))).toBe(Failure.OFFLINE);
  } finally {
    await server?.close();
    server = undefined;
    rmSync(data, { recursive: true });
  }
});

it('does not start when the database cannot be read: its computers would be free for anybody', async () => {
  writeFileSync(join(dir, 'db_v2.sqlite3'), 'damaged');
  await expect(start()).rejects.toMatchObject({ code: 'HBBS_DATABASE_UNREADABLE', stage: 'server' });
});
