import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { measureRelays } from './relay-latency.ts';

it('measures the relays that answer and leaves out the others', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const here = `127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  const measured = await measureRelays([here, '127.0.0.1:1', 'no relay at all:x'], '127.0.0.1', new AbortController().signal);
  expect(measured.map((relay) => relay.address)).toEqual([here]);
  expect(measured[0]?.ms).toBeGreaterThanOrEqual(1);
  expect(await measureRelays([here], '203.0.113.1', new AbortController().signal)).toEqual([]);
  await new Promise((resolve) => server.close(resolve));
});
