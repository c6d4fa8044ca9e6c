import { describe, expect, test } from 'vitest';
import { type Network, TCP_CLASSES, type TcpClass, UDP_CLASSES, type UdpClass, UNKNOWN_NETWORK } from './network.ts';
import { planWays, whyNotDirect } from './plan.ts';

const APART = { samePublicAddress: false };
const TOGETHER = { samePublicAddress: true };

function network(udp: UdpClass, tcp: TcpClass = 'blocked', more: Partial<Network> = {}): Network {
  return { ...UNKNOWN_NETWORK, udp, tcp, ...more };
}

/** One letter a cell: u punch, p prediction, b birthday; capital: likely, small: possible, - hopeless. */
const UDP_GRID: Record<UdpClass, string> = {
  //                       open full restr port seq rand blocked unknown
  open: 'UUUUUU-u',
  'full-cone': 'UUUUUU-u',
  restricted: 'UUUUUU-u',
  'port-restricted': 'UUUUPB-u',
  'symmetric-sequential': 'UUUPp--p',
  'symmetric-random': 'UUUB---b',
  blocked: '--------',
  unknown: 'uuuupb-u',
};

const TCP_GRID: Record<TcpClass, string> = {
  //           open stable seq random blocked unknown
  open: 'TTTT-T',
  stable: 'TTp--t',
  sequential: 'Tp---t',
  random: 'T-----',
  blocked: '------',
  unknown: 'Ttt--t',
};

const LETTERS: Record<string, string> = { udp: 'u', 'udp-prediction': 'p', 'udp-birthday': 'b', tcp: 't', 'tcp-prediction': 'p' };

function letter(mine: Network, theirs: Network, prefix: 'udp' | 'tcp'): string {
  const found = planWays(mine, theirs, APART).find(({ way }) => way.startsWith(prefix));
  if (!found || found.chance === 'hopeless') return '-';
  const small = LETTERS[found.way] ?? '?';
  return found.chance === 'likely' ? small.toUpperCase() : small;
}

describe('the table has every pair, whoever asks', () => {
  test.each(UDP_CLASSES)('UDP, %s', (mine) => {
    expect(UDP_CLASSES.map((theirs) => letter(network(mine), network(theirs), 'udp')).join('')).toBe(UDP_GRID[mine]);
    expect(UDP_CLASSES.map((theirs) => letter(network(theirs), network(mine), 'udp')).join('')).toBe(UDP_GRID[mine]);
  });
  test.each(TCP_CLASSES)('TCP, %s', (mine) => {
    expect(TCP_CLASSES.map((theirs) => letter(network('blocked', mine), network('blocked', theirs), 'tcp')).join('')).toBe(TCP_GRID[mine]);
    expect(TCP_CLASSES.map((theirs) => letter(network('blocked', theirs), network('blocked', mine), 'tcp')).join('')).toBe(TCP_GRID[mine]);
  });
});

test('every pair ends with the relay, and one without a direct way says why', () => {
  for (const udp of UDP_CLASSES)
    for (const tcp of TCP_CLASSES)
      for (const other of UDP_CLASSES) {
        const [mine, theirs] = [network(udp, tcp), network(other, tcp)];
        expect(planWays(mine, theirs, APART).at(-1)?.way).toBe('relay');
        const none = ['udp', 'tcp'].every((prefix) => letter(mine, theirs, prefix as 'udp' | 'tcp') === '-');
        if (none) expect(whyNotDirect(mine, theirs, APART)).toMatch(/one network|both NATs|one NAT/);
        else expect(whyNotDirect(mine, theirs, APART)).toBeNull();
      }
});

test('the local network comes first behind one address, the hairpin after it', () => {
  const ways = planWays(network('port-restricted', 'stable'), network('port-restricted', 'stable'), TOGETHER).map(({ way }) => way);
  expect(ways.slice(0, 2)).toEqual(['lan', 'udp']);
  expect(ways).toContain('hairpin');
  const turning = network('port-restricted', 'stable', { hairpin: 'yes' });
  expect(planWays(turning, turning, TOGETHER).map(({ way }) => way).slice(0, 2)).toEqual(['lan', 'hairpin']);
});

test('IPv6 and a mapped port go before punching', () => {
  const mine = network('symmetric-random', 'random', { ipv6: 'yes' });
  const theirs = network('symmetric-random', 'random', { ipv6: 'yes', mappedPort: 'yes' });
  expect(planWays(mine, theirs, APART).slice(0, 2).map(({ way }) => way)).toEqual(['ipv6', 'mapped']);
  expect(whyNotDirect(mine, theirs, APART)).toBeNull();
});
