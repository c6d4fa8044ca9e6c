import { expect, it } from 'vitest';
import { encodeRendezvous, readOnlineIds } from './index.ts';

it('reads the ids and nothing else', () => {
  const peers = Array.from({ length: 30_000 }, (_, i) => `${100_000_000 + i}`);
  const bytes = encodeRendezvous({ onlineRequest: { id: 'me', peers } });
  expect(readOnlineIds(bytes, 30_000)).toEqual(peers);
  expect(readOnlineIds(bytes, 29_999)).toBeNull();
  expect(readOnlineIds(bytes.subarray(0, bytes.length - 1), 30_000)).toBeNull();
  expect(readOnlineIds(encodeRendezvous({ onlineRequest: {} }), 10)).toEqual([]);
  expect(readOnlineIds(encodeRendezvous({ testNatRequest: {} }), 10)).toBeNull();
  expect(readOnlineIds(new Uint8Array(), 10)).toBeNull();
  expect(readOnlineIds(Uint8Array.from({ length: 100 }, (_, i) => (i * 37) & 0xff), 10)).toBeNull();
});
