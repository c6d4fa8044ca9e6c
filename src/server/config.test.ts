/** Where the server's options come from, and which place wins. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ConfigSchema, OPTIONS, serverOptions } from './config.ts';
import { type ConfigInput, parseIni, readConfig, serverDataDir } from './config-sources.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-config-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const read = (input: Partial<ConfigInput>) => readConfig({ flags: {}, env: {}, dataDir: dir, ...input });
const file = (name: string, content: string): string => {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
};

it('takes flags before the config file before .env before the environment', () => {
  const env = { LITEDESK_PORT: '1001', WS_PORT: '9', KEY: 'env', MASK: '10.0.0.0/8', LITEDESK_WS_PORT: '5' };
  file('.env', 'PORT=1002\nkey = dotenv\nrelay_servers=a,b');
  const configFile = file('hbbs.ini', '; a comment\n# another\nPort: 1003\n[other]\nkey=never');
  expect(read({ env })).toMatchObject({ port: 1002, key: 'dotenv', mask: '10.0.0.0/8', relay: ['a', 'b'], wsPort: 5 });
  expect(read({ env, configFile }).port).toBe(1003);
  expect(read({ env, configFile, flags: { port: '1004' } }).port).toBe(1004);
});

it('reads a JSON file in camel or kebab case, and refuses names that it does not know', () => {
  const configFile = file('config.json', '{"relay-port": 7, "wsPort": "8", "alwaysRelay": true, "limit": {"maxAsks": 5}}');
  expect(read({ configFile })).toMatchObject({ relayPort: 7, wsPort: 8, alwaysRelay: true, limit: { maxAsks: 5 } });
  expect(() => read({ configFile: file('bad.json', '{"relyPort": 7}') })).toThrow('"relyPort"');
  expect(() => read({ configFile: file('worse.json', '{') })).toThrow('no JSON');
  expect(() => read({ configFile: join(dir, 'absent') })).toThrow('cannot be read');
});

it('knows the variables of hbbs and hbbr in any case, with - or _', () => {
  const env = {
    bind: '127.0.0.1',
    'Relay-Servers': 'x:1, y',
    RENDEZVOUS_SERVERS: 's.example',
    SERIAL: '4',
    RMEM: '65536',
    ALWAYS_USE_RELAY: 'Y',
    LOCAL_IP: '10.0.0.1',
    DB_URL: './other.sqlite3',
    SINGLE_BANDWIDTH: '16',
    total_bandwidth: '0',
    DOWNGRADE_THRESHOLD: '0.5',
    DOWNGRADE_START_CHECK: '60',
    SOFTWARE_URL: 'https://example.org/x-1.2.3.exe',
  };
  expect(read({ env })).toMatchObject({
    bind: '127.0.0.1',
    relay: ['x:1', 'y'],
    rendezvousServers: ['s.example'],
    serial: 4,
    udpBuffer: 65536,
    alwaysRelay: true,
    localIp: '10.0.0.1',
    importDb: './other.sqlite3',
    softwareUrl: 'https://example.org/x-1.2.3.exe',
    limit: { relayPairBps: 16 * 1024 * 1024, relayTotalBps: 0, relayDowngradeShare: 0.5, relayDowngradeAfterMs: 60_000 },
  });
  expect(serverOptions(read({ env }), dir)).toMatchObject({ dataDir: dir, alwaysRelay: true, udpReceiveBuffer: 65536 });
});

it('accepts what has no effect, and says once why', () => {
  const said: string[] = [];
  read({
    env: { TEST_HBBS: 'no', MAX_DATABASE_CONNECTIONS: '4' },
    onIneffective: (name) => said.push(name),
  });
  expect(said).toEqual(['test-hbbs', 'max-database-connections']);
});

it('an empty variable is an absent one, except for the key', () => {
  const config = read({ env: { PORT: '', BIND: '' } });
  expect([config.port, config.bind, config.key]).toEqual([undefined, undefined, '-']);
  expect(read({ env: { KEY: '' } }).key).toBe('');
});

it('sets limits one by one over all places', () => {
  file('.env', 'LITEDESK_LIMIT=maxAsks=1,maxIdBytes=2\nSINGLE_BANDWIDTH=1');
  const { limit } = read({ flags: { limit: ['maxIdBytes=3', 'relayWaitMs=4'] } });
  expect(limit).toEqual({ maxAsks: 1, maxIdBytes: 3, relayWaitMs: 4, relayPairBps: 1024 * 1024 });
  expect(() => read({ flags: { limit: ['maxIdBits=3'] } })).toThrow('names no limit: maxIdBits');
  expect(() => read({ flags: { limit: ['maxIdBytes'] } })).toThrow('--limit');
});

it.each([
  [{ flags: { port: '65536' } }, '--port 65536 is not a port'],
  [{ flags: { port: '2' } }, '--port 2 is not a port from 3 up'],
  [{ flags: { relay: ['relay.example', 'a b'] } }, 'is not HOST[:PORT]: a b'],
  [{ flags: { relayPort: 'x' } }, '--relay-port x is not a port'],
  [{ flags: { bind: 'localhost' } }, '--bind localhost is not an IP address'],
  [{ env: { ALWAYS_USE_RELAY: 'perhaps' } }, 'ALWAYS_USE_RELAY in the environment perhaps'],
  [{ env: { SINGLE_BANDWIDTH: 'much' } }, 'SINGLE_BANDWIDTH'],
  [{ flags: { publishPorts: '30-20' } }, '--publish-ports 30-20 is not a range'],
] as const)('refuses %j', (input, message) => {
  expect(() => read(input)).toThrow(message);
});

it('says nothing of a key that it cannot use', () => {
  expect(() => read({ flags: { key: 'k'.repeat(5_000) } })).toThrow(/^--key is too long/);
});

it('runs in the folder of hbbs when it is started there', () => {
  expect(serverDataDir('/a', { LITEDESK_DATA: '/b' }, dir, '/c')).toBe('/a');
  expect(serverDataDir(undefined, { LITEDESK_DATA: '/b' }, dir, '/c')).toBe('/b');
  expect(serverDataDir(undefined, {}, dir, '/c')).toBe('/c');
  file('id_ed25519', '-----BEGIN OPENSSH PRIVATE KEY-----');
  expect(serverDataDir(undefined, {}, dir, '/c')).toBe('/c');
  file('id_ed25519', Buffer.alloc(64, 1).toString('base64'));
  expect(serverDataDir(undefined, {}, dir, '/c')).toBe(dir);
});

it('reads INI as the open server does', () => {
  expect(parseIni('\uFEFFa=1\r\n b : "x y"\n;c=3\n#d=4\nnonsense\ne=\n[s]\nf=5')).toEqual([
    ['a', '1'],
    ['b', 'x y'],
    ['e', ''],
  ]);
});

it('describes every option', () => {
  expect(OPTIONS.map((option) => option.name)).toEqual(Object.keys(ConfigSchema.shape));
  for (const { flag, info } of OPTIONS) expect(info.help, flag).not.toBe('');
  const shorts = OPTIONS.flatMap(({ info }) => info.short ?? []);
  expect(new Set(shorts).size).toBe(shorts.length);
});

it('turns parts off by port 0, and knows which places a store may have', () => {
  const options = (flags: Record<string, unknown>) => serverOptions(read({ flags }), dir);
  expect(options({ port: '0', openRelay: true })).toMatchObject({ relayOnly: true, openRelay: true });
  expect(options({ port: '0', openRelay: true }).ports?.rendezvous).toBeUndefined();
  expect(options({ port: '0', singlePort: '443' })).toMatchObject({ relayOnly: false, ports: { rendezvous: 0, single: 443 } });
  expect(options({ relayPort: '0' }).ports).toMatchObject({ relay: 0 });
  expect(options({ store: 'sqlite:/var/lib/x.sqlite3' })).toMatchObject({ storeFile: '/var/lib/x.sqlite3', storeUrl: undefined });
  expect(() => options({ store: 'mysql://x' })).toThrow('neither sqlite:FILE nor redis://');
});

it('reads where services may be published, and by whom', () => {
  const publish = (flags: Record<string, unknown>) => serverOptions(read({ flags }), dir).publish;
  expect(publish({})).toMatchObject({ ports: undefined, domain: '' });
  const set = publish({ publishPorts: '30000-30009', publishDomain: '*.Home.Example', publishAllow: ['123456789=30000+www.example.org', 'abcdef'] });
  expect(set).toMatchObject({ ports: { first: 30_000, last: 30_009 }, domain: 'home.example' });
  expect(set?.policy.allows('123456789', 30_000, '')).toBe(true);
  expect(set?.policy.allows('123456789', 30_001, '')).toBe(false);
  expect(set?.policy.allows('123456789', 0, 'www.example.org')).toBe(true);
  expect(set?.policy.allows('abcdef', 30_001, '')).toBe(true);
  expect(set?.policy.knows('999999999')).toBe(false);
  expect(() => publish({ publishDomain: 'no domain' })).toThrow('--publish-domain');
  expect(() => publish({ publishAllow: ['123456789=a b'] })).toThrow('--publish-allow');
});
