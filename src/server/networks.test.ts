import { expect, it } from 'vitest';
import { prefix64, sameNetwork } from './networks.ts';

it('takes IPv4 addresses whole and the first half of IPv6 ones', () => {
  expect(sameNetwork('192.0.2.1', '192.0.2.1')).toBe(true);
  expect(sameNetwork('192.0.2.1', '192.0.2.2')).toBe(false);
  expect(sameNetwork('2001:db8:1:2::5', '2001:db8:1:2:aaaa::1')).toBe(true);
  expect(sameNetwork('2001:db8:1:2::5', '2001:db8:1:3::5')).toBe(false);
  expect(sameNetwork('2001:db8::1', '192.0.2.1')).toBe(false);
  expect(sameNetwork('', '')).toBe(false);
});

it.each([
  ['2001:db8::1', '2001:db8:0:0'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['::1', '0:0:0:0'],
  ['2001::5:6:7:8', '2001:0:0:0'],
  ['1:2:3:4::', '1:2:3:4'],
])('%s is in %s', (host, prefix) => expect(prefix64(host)).toBe(prefix));
