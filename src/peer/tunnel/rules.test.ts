import { expect, test } from 'vitest';
import { parseTunnelRule } from './rule-text.ts';
import { addressClass, canonicalAddress } from './addresses.ts';
import { type Asker, RuleBook } from './rules.ts';

const ANYBODY: Asker = { peerId: '111', proven: false };
const book = (...rules: string[]): RuleBook => new RuleBook(rules.map(parseTunnelRule));

/** An address asked for as such. */
const tcp = (rules: RuleBook, address: string, port = 80, asker = ANYBODY): boolean =>
  rules.allows(asker, 'tcp', address, address, port);

test('without a rule nothing is allowed, and no name is looked up', () => {
  const none = book();
  expect([tcp(none, '10.0.0.1'), none.mayAllow(ANYBODY, 'tcp', 'a.example', 80), none.allowsService(ANYBODY, 'x')]).toEqual([
    false,
    false,
    false,
  ]);
});

test('a rule allows its kind, host and ports, and nothing beside', () => {
  const rules = book('tcp:192.168.1.5:80-90', 'udp:dns.example:53');
  expect(tcp(rules, '192.168.1.5', 80)).toBe(true);
  expect(tcp(rules, '192.168.1.5', 90)).toBe(true);
  expect(tcp(rules, '192.168.1.5', 91)).toBe(false);
  expect(tcp(rules, '192.168.1.6', 80)).toBe(false);
  expect(rules.allows(ANYBODY, 'udp', '192.168.1.5', '192.168.1.5', 80)).toBe(false);
  expect(rules.allows(ANYBODY, 'udp', 'DNS.example.', '10.9.9.9', 53)).toBe(true);
  expect(rules.allows(ANYBODY, 'udp', 'other.example', '10.9.9.9', 53)).toBe(false);
  expect(rules.mayAllow(ANYBODY, 'tcp', 'other.example', 85)).toBe(true);
  expect(rules.mayAllow(ANYBODY, 'tcp', 'other.example', 22)).toBe(false);
});

const SPECIAL = [
  '127.0.0.1',
  '127.9.9.9',
  '0.0.0.0',
  '::1',
  '::',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '0:0:0:0:0:ffff:a9fe:a9fe',
  '::127.0.0.1',
  '64:ff9b::7f00:1',
  '2002:7f00:1::',
  '169.254.169.254',
  '169.254.1.1',
  'fe80::1',
  'fe80::1%eth0',
  'fd00:ec2::254',
  '100.100.100.200',
  '168.63.129.16',
  '224.0.0.1',
  '255.255.255.255',
  'ff02::1',
];

test.each(SPECIAL)('%s is reached by no general rule', (address) => {
  for (const rule of ['any', 'tcp:*:*', 'tcp:0.0.0.0/0:*', 'tcp:[::]/0:*', 'tcp:128.0.0.0/1:*', 'tcp:96.0.0.0/3:*', 'tcp:[::]/3:*', 'tcp:[::]/8:*', 'tcp:168.63.129.16/8:*', 'tcp:trick.example:*'])
    expect(tcp(book(rule), address), rule).toBe(false);
  const rules = book('any', 'tcp:trick.example:*', 'tcp:0.0.0.0/1:*');
  expect(rules.allows(ANYBODY, 'tcp', 'trick.example', address, 80)).toBe(false);
});

test('a rule that names it does reach it, however it is spelled', () => {
  for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '::ffff:7f00:1']) {
    expect(tcp(book('tcp:127.0.0.1:80'), address)).toBe(true);
    expect(tcp(book('tcp:127.0.0.0/8:80'), address)).toBe(true);
    expect(tcp(book('tcp:localhost:80'), address)).toBe(true);
    expect(tcp(book('tcp:[::ffff:127.0.0.1]:80'), address)).toBe(true);
  }
  expect(tcp(book('tcp:localhost:80'), '::1')).toBe(true);
  expect(tcp(book('tcp:localhost:80'), '127.0.0.2')).toBe(false);
  expect(tcp(book('tcp:169.254.169.254:80'), '169.254.169.254')).toBe(true);
  expect(tcp(book('tcp:[fe80::]/10:80'), 'fe80::1%eth0')).toBe(true);
  // The name is asked for, the address is looked at.
  expect(book('tcp:127.0.0.1:80').allows(ANYBODY, 'tcp', 'evil.example', '127.0.0.1', 80)).toBe(true);
  expect(book('tcp:127.0.0.1:80').allows(ANYBODY, 'tcp', 'evil.example', '127.0.0.1', 81)).toBe(false);
});

test('any covers everything ordinary', () => {
  for (const address of ['10.0.0.1', '8.8.8.8', '2001:db8::1', '::ffff:10.0.0.1', 'fd12::1']) expect(tcp(book('any'), address)).toBe(true);
  expect(book('any').allowsService(ANYBODY, 'files')).toBe(true);
  expect(book('tcp:*:*').allowsService(ANYBODY, 'files')).toBe(false);
});

test('networks of both families', () => {
  const rules = book('tcp:10.1.0.0/16:80', 'tcp:[2001:db8::]/32:80');
  expect([tcp(rules, '10.1.2.3'), tcp(rules, '10.2.2.3'), tcp(rules, '2001:db8:1::1'), tcp(rules, '2001:db9::1')]).toEqual([true, false, true, false]);
  expect(tcp(rules, '::ffff:10.1.2.3')).toBe(true);
});

test('a rule for one peer is for the one that proved its key', () => {
  const rules = book('tcp:10.0.0.1:80@222');
  expect(tcp(rules, '10.0.0.1', 80, { peerId: '222', proven: true })).toBe(true);
  expect(tcp(rules, '10.0.0.1', 80, { peerId: '222', proven: false })).toBe(false);
  expect(tcp(rules, '10.0.0.1', 80, { peerId: '111', proven: true })).toBe(false);
});

test('addresses have one spelling', () => {
  expect(canonicalAddress('2001:DB8:0:0::0001')).toBe('2001:db8::1');
  expect(canonicalAddress('64:ff9b::a00:1')).toBe('10.0.0.1');
  expect(addressClass('169.254.169.254')).toBe('metadata');
  expect(addressClass('192.168.1.1')).toBe('ordinary');
});
