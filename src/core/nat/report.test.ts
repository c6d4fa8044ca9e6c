import { expect, test } from 'vitest';
import type { FilterObservation, Observation, Observations } from './observation.ts';
import { NAT_FACTS, NAT_VERDICT_TEXT, NAT_VERDICTS, natReport } from './report.ts';

const LOCAL = '192.168.1.10';

function seen(protocol: 'udp' | 'tcp', ports: readonly number[], host = '198.51.100.7'): Observation[] {
  return ports.map((port, i) => ({
    protocol,
    family: 4,
    local: { host: '', port: 5_000 + (i >> 1) },
    destination: { host: '203.0.113.5', port: 21_116 - (i & 1) },
    seen: { host, port },
  }));
}

function observations(mappings: Observation[], more: Partial<Observations> = {}): Observations {
  return { mappings, filters: [], reached: { udp4: mappings.some(({ protocol }) => protocol === 'udp'), tcp4: true }, localHosts: [LOCAL], ...more };
}

const otherPort = (arrived: boolean): FilterObservation => ({ protocol: 'udp', family: 4, from: 'other-port', arrived });

test.each([
  ['no NAT', observations(seen('udp', [5000, 5000], LOCAL), { filters: [otherPort(true)] }), 'open'],
  ['a NAT that lets other ports in', observations(seen('udp', [5000, 5000]), { filters: [otherPort(true)] }), 'easy'],
  ['a strict one', observations(seen('udp', [5000, 5000]), { filters: [otherPort(false)] }), 'usual'],
  ['one that counts', observations(seen('udp', [700, 701, 702, 703])), 'counting'],
  ['one that picks at random', observations(seen('udp', [7000, 41, 30_000, 999])), 'random'],
  ['no UDP', observations(seen('tcp', [5000, 5000])), 'no-udp'],
  ['no UDP, random TCP ports', observations(seen('tcp', [51, 7777])), 'no-udp-random'],
  ['no UDP test at the server', observations(seen('tcp', [5000, 5000]), { reached: { tcp4: true } }), 'usual'],
  ['nothing but one port', observations(seen('tcp', [5000]), { otherPortsOverTcp: false }), 'one-port'],
  ['another port after all', observations(seen('tcp', [5000, 5000]), { otherPortsOverTcp: true }), 'no-udp'],
  ['nothing', observations([], { reached: {} }), 'unknown'],
] as const)('%s', (_name, input, verdict) => {
  expect(natReport(input).verdict).toBe(verdict);
});

test('facts are yes, no or not tested', () => {
  const { facts } = natReport(observations(seen('udp', [5000, 5000]), { filters: [otherPort(false)] }));
  expect(Object.keys(facts)).toEqual([...NAT_FACTS]);
  expect(facts).toMatchObject({
    udp: 'yes',
    'ipv4-translated': 'yes',
    ipv6: 'no',
    'mapping-varies-by-port': 'no',
    'mapping-varies-by-address': 'not-tested',
    'port-kept': 'yes',
    'answers-from-another-port-come-in': 'no',
    'port-mapping': 'not-tested',
  });
  expect(natReport(observations(seen('udp', [5000, 5000], '100.64.3.4'))).facts['second-nat-outside']).toBe('yes');
});

test('every verdict has its sentence', () => {
  for (const verdict of NAT_VERDICTS) expect(NAT_VERDICT_TEXT[verdict]).toMatch(/\w+/);
});

test('what comes in is told for UDP and TCP apart, from another port and another address', () => {
  const filter = (protocol: 'udp' | 'tcp', from: FilterObservation['from'], arrived: boolean): FilterObservation => ({ protocol, family: 4, from, arrived });
  const filters = [filter('udp', 'other-port', true), filter('udp', 'other-address', false), filter('tcp', 'other-port', false)];
  const { facts, network } = natReport(observations(seen('udp', [5000, 5000]), { filters, hairpin: true }));
  expect(facts).toMatchObject({
    'answers-from-another-port-come-in': 'yes',
    'answers-from-another-address-come-in': 'no',
    'tcp-from-another-port-comes-in': 'no',
    'tcp-from-another-address-comes-in': 'not-tested',
    hairpin: 'yes',
  });
  expect(network).toMatchObject({ udp: 'restricted', hairpin: 'yes' });
  expect(natReport(observations(seen('tcp', [5000]), { otherPortsOverTcp: false })).network.tcp).toBe('blocked');
});
