import { expect, it } from 'vitest';
import { WireError } from '../errors.ts';
import { forEachSeed } from '../testing/seeds.ts';
import { checkBasicAuth, hashBasicAuth, readAuthorization } from './basic-auth.ts';
import { type ControlMessage, ControlReader, encodeControl, type Offer } from './control.ts';
import { hostName, hostOfHeader } from './host-name.ts';
import { MAX_CONTROL_BYTES } from './limits.ts';

const OFFER: Offer = {
  name: 'web',
  kind: 'http',
  port: 0,
  host: 'www.example.org',
  allow: ['192.0.2.0/24', '2001:db8::/32'],
  basicAuth: { user: 'anna', salt: new Uint8Array(16).fill(1), hash: new Uint8Array(32).fill(2) },
  maxConnections: 10,
  bandwidthKbps: 5_000,
  healthy: false,
programs: 3,
};

const MESSAGES: readonly ControlMessage[] = [
  { type: 'offer', offer: OFFER },
  { type: 'offer', offer: { ...OFFER, kind: 'udp', port: 30_000, host: '', basicAuth: null, allow: [], healthy: true } },
  { type: 'published', name: 'web', address: 'www.example.org', port: 443, url: 'https://www.example.org/' },
  { type: 'refused', name: 'web', refusal: 'host-taken', message: 'Another computer publishes under this host name.' },
  { type: 'withdraw', name: 'web' },
  { type: 'health', name: 'web', healthy: true, down: ['127.0.0.1:80'] },
  { type: 'revoked', name: 'web', reason: 'not-allowed' },
];

it('brings control messages through, in whatever pieces', () => {
  const bytes = Buffer.concat(MESSAGES.map(encodeControl));
  for (const size of [1, 7, bytes.length]) {
    const reader = new ControlReader();
    const read: ControlMessage[] = [];
    for (let at = 0; at < bytes.length; at += size) read.push(...reader.push(bytes.subarray(at, at + size)));
    expect(read).toEqual(MESSAGES);
  }
});

it('takes no offer that cannot be', () => {
  const read = (offer: Partial<Offer>): unknown => new ControlReader().push(encodeControl({ type: 'offer', offer: { ...OFFER, ...offer } }));
  for (const offer of [
    { name: '' },
    { name: 'a b' },
    { name: 'x'.repeat(64) },
    { port: 65_536 },
    { host: 'x'.repeat(256) },
    { allow: Array.from({ length: 65 }, () => '::1') },
    { basicAuth: { user: 'anna', salt: new Uint8Array(3), hash: new Uint8Array(32) } },
    { basicAuth: { user: '', salt: new Uint8Array(16), hash: new Uint8Array(32) } },
  ])
    expect(() => read(offer)).toThrow(WireError);
});

it('ends at hostile bytes with one kind of error, and holds little', async () => {
  const whole = Buffer.concat(MESSAGES.map(encodeControl));
  await forEachSeed(3_000, (random) => {
    const bytes = random.chance(0.3) ? Buffer.from(random.bytes(random.below(200))) : Buffer.from(whole);
    for (let i = random.below(8); i > 0 && bytes.length > 0; i--) bytes[random.below(bytes.length)] = random.below(256);
    try {
      new ControlReader().push(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
    }
  });
  const announced = (MAX_CONTROL_BYTES + 1) * 4 + 3;
  const header = Uint8Array.of(announced & 0xff, (announced >> 8) & 0xff, (announced >> 16) & 0xff, 0);
  expect(() => new ControlReader().push(header)).toThrow(WireError);
});

it.each([
  ['WWW.Example.ORG.', 'www.example.org'],
  ['localhost', 'localhost'],
  ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
  ['_acme.example', '_acme.example'],
  ['', null],
  ['.', null],
  ['a..b', null],
  ['-a.example', null],
  ['a b', null],
  ['bücher.example', null],
  ['192.0.2.1', null],
  ['0x7f.1', null],
  ['a.0x7f', null],
  [`${'a'.repeat(64)}.example`, null],
  [`${'a.'.repeat(127)}toolong`, null],
])('the host name %j is %j', (text, name) => {
  expect(hostName(text)).toBe(name);
});

it.each([
  ['www.example.org:8080', 'www.example.org'],
  ['www.example.org:', 'www.example.org'],
  ['192.0.2.1:80', ''],
  ['[2001:db8::1]:80', ''],
  ['www.example.org:80:80', null],
  ['www.example.org/x', null],
  ['a@www.example.org', null],
  ['www.example.org, other', null],
  ['', null],
])('the Host header %j is %j', (header, name) => {
  expect(hostOfHeader(header)).toBe(name);
});

it('knows a password again by its hash alone', async () => {
  const auth = await hashBasicAuth('anna', 'pässword:1');
  expect(Buffer.from(auth.hash).toString('latin1')).not.toContain('ssword');
  expect(await checkBasicAuth(auth, 'anna', 'pässword:1')).toBe(true);
  expect(await checkBasicAuth(auth, 'anna', 'pässword:2')).toBe(false);
  expect(await checkBasicAuth(auth, 'bert', 'pässword:1')).toBe(false);
  const header = `Basic ${Buffer.from('anna:pässword:1').toString('base64')}`;
  expect(readAuthorization(header)).toEqual({ user: 'anna', password: 'pässword:1' });
  for (const other of ['', 'Bearer x', 'Basic', 'Basic ***', `Basic ${Buffer.from('nocolon').toString('base64')}`])
    expect(readAuthorization(other)).toBeNull();
});
