import { expect, test } from 'vitest';
import { classify } from './classify.ts';
import type { FilterObservation, Observation, Observations } from './observation.ts';

const SERVER = '203.0.113.5';
const OTHER = '203.0.113.6';

function udp(localPort: number, destination: string, port: number, seenPort: number, seenHost = '198.51.100.7'): Observation {
  return {
    protocol: 'udp',
    family: 4,
    local: { host: '192.168.1.10', port: localPort },
    destination: { host: destination, port },
    seen: { host: seenHost, port: seenPort },
  };
}

function all(mappings: Observation[], filters: FilterObservation[] = []): Observations {
  return { mappings, filters, reached: { udp4: mappings.length > 0 }, localHosts: ['192.168.1.10'] };
}

const filter = (from: FilterObservation['from'], arrived: boolean): FilterObservation => ({ protocol: 'udp', family: 4, from, arrived });

test('no translation', () => {
  const seen = all([udp(5000, SERVER, 21116, 5000, '192.168.1.10'), udp(5000, SERVER, 21115, 5000, '192.168.1.10')]);
  expect(classify(seen, 'udp', 4)).toMatchObject({ reached: 'yes', translated: 'no', mapping: 'none', allocation: { kind: 'preserving' } });
});

test('one public port for all destinations; what lies beyond one server address is not claimed', () => {
  const seen = all([udp(5000, SERVER, 21116, 6100), udp(5000, SERVER, 21115, 6100)]);
  expect(classify(seen, 'udp', 4)).toMatchObject({
    translated: 'yes',
    variesByPort: 'no',
    variesByAddress: 'not-tested',
    mapping: 'endpoint-independent',
    filtering: 'unknown',
  });
});

test('another public port for another address only', () => {
  const seen = all([udp(5000, SERVER, 21116, 6100), udp(5000, SERVER, 21115, 6100), udp(5000, OTHER, 21116, 6200)]);
  expect(classify(seen, 'udp', 4).mapping).toBe('address-dependent');
});

test.each([
  ['in order', [6100, 6101, 6102, 6103], { kind: 'sequential', step: 1 }],
  ['in order, from the end of its range to the start', [24_093, 24_094, 24_095, 20_000, 20_001], { kind: 'sequential', step: 1 }],
  ['in order with others in between', [6100, 6102, 6108, 6110], { kind: 'sequential', step: 2 }],
  ['downwards across the end of the range', [1, 65_535, 65_533, 65_531], { kind: 'sequential', step: -2 }],
  ['at random', [6100, 41_000, 1200, 6105], { kind: 'random' }],
])('a port for each destination, %s', (_name, ports, allocation) => {
  const seen = all(ports.map((port, i) => udp(5000 + (i >> 1), SERVER, 21116 - (i & 1), port)));
  expect(classify(seen, 'udp', 4)).toMatchObject({ mapping: 'address-and-port-dependent', allocation });
});

test.each([
  [[filter('other-port', true), filter('other-address', true)], 'endpoint-independent'],
  [[filter('other-port', true), filter('other-address', false)], 'address-dependent'],
  [[filter('other-port', true)], 'address-dependent'],
  [[filter('other-port', false), filter('other-port', true), filter('other-address', false)], 'address-dependent'],
  [[filter('other-port', false)], 'address-and-port-dependent'],
  [[], 'unknown'],
])('filtering %j is %s', (filters, expected) => {
  expect(classify(all([udp(1, SERVER, 1, 1)], filters), 'udp', 4).filtering).toBe(expected);
});

test('protocols and families are told apart, and nothing is known without observations', () => {
  const seen = all([udp(5000, SERVER, 21116, 6100), udp(5000, SERVER, 21115, 6200)]);
  expect(classify(seen, 'tcp', 4)).toMatchObject({ reached: 'not-tested', mapping: 'unknown', allocation: { kind: 'unknown' } });
  expect(classify(seen, 'udp', 6).mapping).toBe('unknown');
});

test('a server that tells the port alone', () => {
  const seen = all([udp(5000, SERVER, 21116, 5000, ''), udp(5000, SERVER, 21115, 5000, '')]);
  expect(classify(seen, 'udp', 4)).toMatchObject({ translated: 'not-tested', mapping: 'endpoint-independent' });
});
