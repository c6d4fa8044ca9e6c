/** "Stop hbbs and hbbr, start this in the same folder", with the command as it ships, on the Node of the system too. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { initCrypto, signKeyPair } from '../../src/core/crypto/index.ts';
import { sqliteModule } from '../../src/server/sqlite-store.ts';
import { freePorts } from '../../test/lib/ports.ts';
import { buildCli } from '../lib/cli-process.ts';

buildCli();
const COMMAND = join(import.meta.dirname, '..', '..', 'out', 'cli', 'litedesk.js');
const SYSTEM_NODE = '/usr/bin/node';
const sqlite = sqliteModule();

let dir: string;
let key: string;
let server: ChildProcess | undefined;

beforeEach(async () => {
  await initCrypto();
  dir = mkdtempSync(join(tmpdir(), 'litedesk-hbbs-'));
  const pair = signKeyPair(createHash('sha256').update(dir).digest());
  key = Buffer.from(pair.publicKey).toString('base64');
  writeFileSync(join(dir, 'id_ed25519'), Buffer.from(pair.secretKey).toString('base64'));
  writeFileSync(join(dir, 'id_ed25519.pub'), key);
});
afterEach(() => {
  server?.kill('SIGKILL');
  server = undefined;
  rmSync(dir, { recursive: true });
});

/** A database as hbbs leaves it when it is killed: some rows only in the log. */
function stockDatabase(): void {
  const script = `
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite');
    const db = new DatabaseSync('db_v2.sqlite3');
    db.exec(\`pragma journal_mode = wal; create table peer (guid blob primary key not null, id varchar(100) not null, uuid blob not null,
      pk blob not null, created_at datetime not null default(current_timestamp), user blob, status tinyint, note varchar(300),
      info text not null) without rowid; create unique index index_peer_id on peer (id)\`);
    const insert = db.prepare('insert into peer (guid, id, uuid, pk, info) values (?, ?, ?, ?, ?)');
    const hash = (text) => process.getBuiltinModule('node:crypto').createHash('md5').update(text).digest();
    for (let n = 0; n < 1000; n++)
      insert.run(hash('g' + n), String(300000000 + n), hash('u' + n), Buffer.alloc(32, n), '{"ip":"::ffff:192.0.2.7"}');
    process.kill(process.pid, 'SIGKILL');`;
  try {
    execFileSync(process.execPath, ['--no-warnings', '-e', script], { cwd: dir, stdio: 'ignore' });
  } catch {
    // It ends itself, as told.
  }
  expect(existsSync(join(dir, 'db_v2.sqlite3-wal'))).toBe(true);
}
const fingerprints = (): string[] =>
  readdirSync(dir)
    .filter((name) => /^(db_v2\.sqlite3|id_ed25519|\.env)/.test(name))
    .map((name) => `${name} ${createHash('sha256').update(readFileSync(join(dir, name))).digest('hex')}`);

async function start(node: string, args: readonly string[] = []): Promise<Record<string, unknown>> {
  const child = spawn(node, [COMMAND, 'server', '--json', ...args], { cwd: dir, stdio: ['ignore', 'pipe', 'ignore'] });
  server = child;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as Record<string, unknown>;
    if (event['event'] === 'ready') return event;
    throw new Error(line);
  }
  throw new Error('the server ended');
}
function admin(node: string, ...words: string[]): Record<string, unknown> {
  const line = execFileSync(node, [COMMAND, 'admin', '--json', ...words], { cwd: dir, encoding: 'utf8' });
  return (JSON.parse(line) as { result: Record<string, unknown> }).result;
}
async function stop(): Promise<number | null> {
  const child = server;
  server = undefined;
  return new Promise((resolve) => {
    child?.once('exit', (code) => resolve(code));
    child?.kill('SIGINT');
  });
}

const nodes = [process.execPath, SYSTEM_NODE].filter((node) => existsSync(node));
test.runIf(sqlite).each(nodes)('started in the folder of hbbs, on %s', async (node) => {
  stockDatabase();
  const port = (await freePorts(5)) + 1;
  writeFileSync(join(dir, '.env'), `PORT=${port}\nKEY=_\nALWAYS_USE_RELAY=Y\nTEST_HBBS=no\nSINGLE_BANDWIDTH=16\n`);
  const before = fingerprints();
  const ready = await start(node, ['-r', '192.0.2.50', '-M', '262144']);
  expect(ready).toMatchObject({ key, ports: { rendezvous: port, natTest: port - 1, relay: port + 1, ws: port + 2, relayWs: port + 3 } });
  expect(admin(node, 'peers', 'list', '--known', '--count', '1')).toMatchObject({ total: 1000, peers: [{ id: '300000000' }] });
  expect(admin(node, 'peers', 'show', '300000999')).toMatchObject({ known: true, uuid: createHash('md5').update('u999').digest('hex') });
  expect(admin(node, 'aur')).toEqual({ alwaysRelay: true });
  expect(admin(node, 'sb')).toEqual({ 'single-bandwidth': 16 });
  expect(admin(node, 'rs')).toMatchObject([{ address: '192.0.2.50' }]);
  expect(await stop()).toBe(0);
  // And again, with nothing new to take over.
  await start(node);
  expect(admin(node, 'peers', 'list', '--known', '--count', '1')).toMatchObject({ total: 1000 });
  expect(await stop()).toBe(0);
  expect(fingerprints()).toEqual(before);
});

test('a key file that is none ends the command with code 1, as with hbbs', async () => {
  writeFileSync(join(dir, 'id_ed25519'), 'no key');
  writeFileSync(join(dir, 'db_v2.sqlite3'), '');
  await expect(start(process.execPath, ['--port', String((await freePorts(5)) + 1)])).rejects.toThrow('KEY_FILE_BROKEN');
});
