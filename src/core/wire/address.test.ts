import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../test/vectors/load.ts';
import { mangleAddress, normalizeHost, unmangleAddress } from './index.ts';

describe('mangled addresses', () => {
  it.each([
    ['192.168.16.32', 21116, 0n, '7c520000000080512140'],
    ['192.168.16.32', 21116, 1700000000000000n, '7c9200803c3080d15d70'],
    ['203.0.113.7', 50000, 1753412345678901n, '850f6b980440009ae64e'],
    ['8.8.8.8', 53, 1234567890n, '0703a4052c93b4153ca3'],
    ['127.0.0.1', 21116, 1n, '7d520200000000010002'],
    ['255.255.255.255', 65535, 4294967295n, 'fefffffffffffdffffff03'],
    ['10.0.0.5', 65535, 131071n, 'feffffff03001200040a'],
    ['0.0.0.0', 0, 0n, ''],
    ['2001:db8::1', 8080, 0n, '20010db8000000000000000000000001901f'],
    ['2001:db8:ff::1111', 80, 0n, '20010db800ff000000000000000011115000'],
    ['::1', 8080, 0n, '00000000000000000000000000000001901f'],
  ])('%s:%i at %i', (host, port, timeUs, hex) => {
    expect(toHex(mangleAddress({ host, port }, timeUs))).toBe(hex);
    expect(toHex(mangleAddress({ host, port }, Number(timeUs)))).toBe(hex);
    expect(unmangleAddress(fromHex(hex))).toEqual({ host, port });
  });

  it('come back unchanged for any address and time', () => {
    let seed = 1;
    const next = (limit: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * limit);
    };
    for (let i = 0; i < 5000; i++) {
      const address = { host: [next(256), next(256), next(256), next(256)].join('.'), port: next(65536) };
      const bytes = mangleAddress(address, BigInt(next(2 ** 32)) * 4096n);
      expect(bytes.length).toBeLessThanOrEqual(11);
      expect(unmangleAddress(bytes)).toEqual(address);
    }
  });

  it('read as absent when their length is none of an address', () => {
    expect(unmangleAddress(new Uint8Array())).toEqual({ host: '0.0.0.0', port: 0 });
    for (const length of [17, 19, 1000])
      expect(unmangleAddress(new Uint8Array(length).fill(1))).toEqual({ host: '::', port: 0 });
  });

  it.each([
    [{ host: 'example.com', port: 1 }],
    [{ host: '256.1.1.1', port: 1 }],
    [{ host: '01.1.1.1', port: 1 }],
    [{ host: '1:2:3', port: 1 }],
    [{ host: '', port: 1 }],
    [{ host: '1.2.3.4', port: 65536 }],
    [{ host: '1.2.3.4', port: -1 }],
    [{ host: '1.2.3.4', port: 1.5 }],
  ])('are refused for %j', (address) => {
    expect(() => mangleAddress(address)).toThrow(
      expect.objectContaining({ name: 'WireError', code: 'BAD_ADDRESS' }),
    );
  });

  it('encode IPv4-mapped addresses as IPv4', () => {
    expect(mangleAddress({ host: '::ffff:8.8.8.8', port: 53 }, 5)).toEqual(
      mangleAddress({ host: '8.8.8.8', port: 53 }, 5),
    );
  });
});

describe('normalizeHost', () => {
  it.each([
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:cb00:7107', '203.0.113.7'],
    ['::203.0.113.7', '203.0.113.7'],
    ['::', '0.0.0.0'],
    ['::1', '::1'],
    ['203.0.113.7', '203.0.113.7'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['1:0:0:2:0:0:3:4', '1::2:0:0:3:4'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7:8'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['1::', '1::'],
    ['fe80::1%eth0', 'fe80::1'],
    ['host.example', 'host.example'],
    ['1:2:3', '1:2:3'],
    ['1::2::3', '1::2::3'],
    ['12345::', '12345::'],
    ['1:2:3:4:5:6:7:8::', '1:2:3:4:5:6:7:8::'],
  ])('%s → %s', (from, to) => {
    expect(normalizeHost(from)).toBe(to);
  });
});
