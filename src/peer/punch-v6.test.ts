import { expect, test } from 'vitest';
import { mangleAddress } from '../core/wire/index.ts';
import { ipv6Of } from './punch-v6.ts';

test('an address that nobody may be made to send to is no path', () => {
  expect(ipv6Of(mangleAddress({ host: '2001:db8::7', port: 5 }))).toEqual({ host: '2001:db8::7', port: 5 });
  for (const host of ['::1', 'fe80::1', 'fd00::1', 'ff02::1']) expect(ipv6Of(mangleAddress({ host, port: 5 }))).toBeNull();
  expect(ipv6Of(mangleAddress({ host: '2001:db8::7', port: 0 }))).toBeNull();
  expect(ipv6Of(mangleAddress({ host: '192.0.2.1', port: 5 }))).toBeNull();
  expect(ipv6Of(new Uint8Array(17))).toBeNull();
  expect(ipv6Of(undefined)).toBeNull();
});
