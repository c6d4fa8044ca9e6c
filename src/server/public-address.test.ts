import { expect, it } from 'vitest';
import { parsePublicAddress } from './public-address.ts';
import { builtInRelay, repairRelay } from './rendezvous/relay-name.ts';

const client = (localHost: string, localPort: number, port = 50_000): Parameters<typeof builtInRelay>[2] => ({
  ...{ kind: 'tcp', remote: { host: '203.0.113.7', port }, localHost, localPort, closed: false },
  ...{ send: () => {}, close: () => {}, keepAsPresence: () => {} },
});

it.each([
  [undefined, { host: '' }],
  ['desk.example.org', { host: 'desk.example.org' }],
  ['desk.example.org:31116', { host: 'desk.example.org', port: 31_116 }],
  ['2001:db8::1', { host: '2001:db8::1' }],
  ['[2001:db8::1]:443', { host: '2001:db8::1', port: 443 }],
  ['wss://desk.example.org', { host: 'desk.example.org', port: 443, entry: { single: true, tls: true, ws: true } }],
  ['tls://desk.example.org:8443/', { host: 'desk.example.org', port: 8443, entry: { single: true, tls: true, ws: false } }],
])('reads %s', (text, address) => {
  expect(parsePublicAddress(text)).toEqual(address);
});

it.each(['http://desk.example.org', 'desk.example.org:0', 'desk.example.org:70000', 'desk example', 'a@b'])('refuses %s', (text) => {
  expect(() => parsePublicAddress(text)).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

it('names the built-in relay so that both can reach it', () => {
  const classic = { port: 21_116, relayPort: 21_117, singlePort: 0, publicHost: '' };
  const both = { ...classic, singlePort: 443 };
  const single = { port: 0, relayPort: 0, singlePort: 443, publicHost: '' };
  const old = client('192.0.2.1', 21_116);
  const modern = client('192.0.2.1', 443);
  const proxied = client('127.0.0.1', 443, 0);
  const peer = (its: typeof old): Parameters<typeof builtInRelay>[1] => ({ client: its, path: null });
  expect(builtInRelay(classic, peer(old), old)).toBe('');
  expect(builtInRelay({ ...classic, relayPort: 30_000 }, peer(old), old)).toBe('192.0.2.1:30000');
  expect(builtInRelay(both, peer(old), old)).toBe('');
  expect(builtInRelay(both, peer(old), modern)).toBe('192.0.2.1:443');
  expect(builtInRelay(single, peer(proxied), modern)).toBe('192.0.2.1:443');
  // Both through a proxy: what it is called outside is not known, and each takes the server's own address.
  expect(builtInRelay(single, peer(proxied), proxied)).toBe('');
  const behind = { ...single, singlePort: 7443, publicHost: 'desk.example.org', publicPort: 443 };
  expect(builtInRelay(behind, peer(client('127.0.0.1', 7443, 0)), client('127.0.0.1', 7443, 0))).toBe('desk.example.org:443');
  expect(repairRelay(behind, 'desk.example.org:444')).toBe('desk.example.org:443');
  expect(repairRelay(single, 'desk.example.org:444')).toBe('desk.example.org:443');
  expect(repairRelay(classic, 'desk.example.org:21117')).toBe('desk.example.org:21117');
  expect(repairRelay(single, '')).toBe('');
});
