import { expect, test } from 'vitest';
import { isGlobalIPv6, ownIPv6 } from './own-ipv6.ts';

test('only addresses of the Internet count', async () => {
  for (const host of ['2001:db8::1', '3fff::1', '2a00:1450::2004']) expect(isGlobalIPv6(host)).toBe(true);
  for (const host of ['::1', 'fe80::1', 'fd00::1', 'ff02::1', '20::1', '192.0.2.1', '', '2001:']) expect(isGlobalIPv6(host)).toBe(false);
  const own = await ownIPv6();
  expect(own === null || isGlobalIPv6(own)).toBe(true);
});
