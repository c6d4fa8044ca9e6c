import { expect, test } from 'vitest';
import { forEachSeed } from '../testing/seeds.ts';
import { encodeAs, hbb, mangleAddress } from '../wire/index.ts';
import type { Candidate } from './candidates.ts';
import { PATH_LIMITS } from './limits.ts';
import { UNKNOWN_NETWORK } from './network.ts';
import { decodeOffer, encodeOffer, type Offer } from './offer.ts';

const HOME = ['192.168.1.10'];
const PUBLIC = ['198.51.100.7'];

function offer(hosts: readonly string[], more: Partial<Offer> = {}): Offer {
  const candidates = hosts.map((host): Candidate => ({ origin: 'local', protocol: 'udp', address: { host, port: 5000 } }));
  return { round: 1, candidates, network: null, udpPorts: null, tcpPorts: null, wantsSpray: false, ...more };
}

const hostsOf = (bytes: Uint8Array, own: readonly string[]): string[] | undefined => decodeOffer(bytes, own)?.candidates.map(({ address }) => address.host);

test('what is offered is what arrives', () => {
  const sent = offer(['192.168.1.20', '203.0.113.9', '2001:db8::9'], {
    round: 7,
    network: { ...UNKNOWN_NETWORK, udp: 'symmetric-sequential', tcp: 'stable', hairpin: 'no', ipv6: 'yes' },
    udpPorts: { last: { host: '203.0.113.9', port: 40_001 }, step: -2 },
    tcpPorts: { last: { host: '203.0.113.9', port: 1_234 }, step: 1 },
    wantsSpray: true,
  });
  expect(decodeOffer(encodeOffer(sent), HOME)).toEqual(sent);
});

test('nobody is made to send to this computer itself, to many, or to no place', () => {
  const bad = ['127.0.0.1', '0.0.0.0', '224.0.0.1', '255.255.255.255', '240.1.1.1', '169.254.1.1', '::1', 'ff02::1', 'fe80::1', '::'];
  const raw = bad.map((host) => ({ origin: hbb.PathCandidate.Origin.LOCAL, address: mangleAddress({ host, port: 5000 }) }));
  const bytes = encodeAs<hbb.IPathsMessage>(hbb.PathsMessage, { offer: { round: 1, candidates: raw } });
  expect(hostsOf(bytes, HOME)).toEqual([]);
  expect(hostsOf(encodeOffer(offer(bad)), HOME)).toEqual([]);
});

test('private addresses are tried from a private network only', () => {
  const bytes = encodeOffer(offer(['10.1.2.3', '100.64.1.1', 'fd00::1', '203.0.113.9']));
  expect(hostsOf(bytes, HOME)).toEqual(['10.1.2.3', '100.64.1.1', 'fd00::1', '203.0.113.9']);
  expect(hostsOf(bytes, PUBLIC)).toEqual(['203.0.113.9']);
});

test('numbers have bounds', () => {
  const many = Array.from({ length: 500 }, (_, i) => ({ origin: hbb.PathCandidate.Origin.LOCAL, address: mangleAddress({ host: '203.0.113.9', port: 1_000 + i }) }));
  const bytes = encodeAs<hbb.IPathsMessage>(hbb.PathsMessage, { offer: { round: 1, candidates: many } });
  expect(hostsOf(bytes, HOME)).toHaveLength(PATH_LIMITS.maxCandidates);
  expect(() => decodeOffer(new Uint8Array(PATH_LIMITS.maxMessageBytes + 1), HOME)).toThrow();
  const wide = encodeOffer(offer([], { udpPorts: { last: { host: '203.0.113.9', port: 1 }, step: 30_000 } }));
  expect(decodeOffer(wide, HOME)?.udpPorts).toBeNull();
});

test('any bytes are an offer, none, or a WireError', async () => {
  const good = encodeOffer(offer(['203.0.113.9'], { udpPorts: { last: { host: '203.0.113.9', port: 9 }, step: 1 } }));
  await forEachSeed(5_000, (random) => {
    const bytes = random.chance(0.5) ? random.bytes(random.below(80)) : good.slice();
    for (let i = random.below(4); i > 0; i--) bytes[random.below(bytes.length || 1)] = random.below(256);
    try {
      decodeOffer(bytes, HOME);
    } catch (error) {
      expect((error as Error).name).toBe('WireError');
    }
  });
});
