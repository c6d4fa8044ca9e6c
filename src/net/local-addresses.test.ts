import { expect, test } from 'vitest';
import { onLinkDatagram } from './local-addresses.ts';

test('a datagram to this computer may fill an Ethernet frame; of one to somewhere far nothing is known', () => {
  expect(onLinkDatagram('127.0.0.1')).toBe(1472);
  expect(onLinkDatagram('198.51.100.1')).toBeNull();
  expect(onLinkDatagram('2001:db8::1')).toBeNull();
});
