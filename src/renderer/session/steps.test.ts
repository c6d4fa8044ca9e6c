import { expect, test } from 'vitest';
import { stepStates } from './steps.ts';

test('a direct path skips the relay', () => {
  expect([...stepStates(['lookup', 'punch', 'handshake'])]).toEqual([
    ['lookup', 'done'],
    ['punch', 'done'],
    ['relay', 'skipped'],
    ['handshake', 'current'],
    ['login', 'pending'],
  ]);
});

test('at the beginning everything is to come', () => {
  expect([...stepStates([]).values()]).toEqual(Array(5).fill('pending'));
});
