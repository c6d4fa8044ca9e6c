import { expect, test } from 'vitest';
import { VirtualClock } from '../../../core/clock.ts';
import { memoryLinkPair } from '../../../core/memory-link.ts';
import { Mux } from '../../../core/mux/index.ts';
import { StreamSocket } from './http-stream.ts';

test('a connection that is kept for many requests holds the listener of none', () => {
  const [a, b] = memoryLinkPair();
  const clock = new VirtualClock();
  const near = new Mux({ link: a, clock, role: 'connecting' });
  const far = new Mux({ link: b, clock, role: 'accepting' });
  const socket = new StreamSocket(near.open({ kind: 'service', name: 'web' }));
  socket.on('error', () => {});
  for (let request = 0; request < 20; request++) {
    const onTimeout = (): void => {};
    // What Node's client does with each request, and at its end.
    socket.setTimeout(1_000, onTimeout);
    socket.setTimeout(0, onTimeout);
  }
  expect(socket.listenerCount('timeout')).toBe(0);
  near.close();
  far.close();
});
