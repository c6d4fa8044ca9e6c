import { expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { NetworkWatch } from './network-watch.ts';

test('a change is told once, and nothing after close', () => {
  const clock = new VirtualClock();
  let network = 'eth0 192.168.1.2';
  let changes = 0;
  const watch = new NetworkWatch({ clock, look: () => network, onChange: () => (changes += 1) });
  clock.advance(10_000);
  expect(changes).toBe(0);
  network = 'wlan0 10.0.0.7';
  clock.advance(5_000);
  expect(changes).toBe(1);
  watch.close();
  network = '';
  clock.advance(5_000);
  expect(changes).toBe(1);
  expect(clock.pending).toBe(0);
});
