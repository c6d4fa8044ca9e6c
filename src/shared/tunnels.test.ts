import { describe, expect, test } from 'vitest';
import { isHost, isHostPattern, ruleSchema, tunnelSchema } from './tunnels.ts';

describe('hosts', () => {
  test.each(['localhost', 'nas', 'nas.home.arpa', 'a_b.example', '10.0.0.1', '::1', 'fe80::1%eth0', '2001:db8::192.0.2.1', '1:2:3:4:5:6:7:8'])(
    'takes %s',
    (text) => expect(isHost(text)).toBe(true),
  );
  test.each(['', ' ', 'a b', '-nas', '256.0.0.1', '10.0.0', '1::2::3', '1:2:3', ':::', '[::1]', 'http://nas', 'nas:80', 'x'.repeat(254)])(
    'refuses %j',
    (text) => expect(isHost(text)).toBe(false),
  );
  test.each([
    ['*', true],
    ['192.168.1.0/24', true],
    ['fd00::/8', true],
    ['nas', true],
    ['192.168.1.0/33', false],
    ['nas/24', false],
    ['10.0.0.0/8/8', false],
    ['**', false],
  ])('as a pattern, %s is %s', (text, good) => expect(isHostPattern(text)).toBe(good));
});

const forward = {
  id: 't1',
  name: '',
  run: true,
  kind: 'tcp',
  peer: '123456789',
  listenOn: 'this-computer',
  listenPort: 0,
  host: 'localhost',
  port: 80,
} as const;

test('a tunnel of each kind is taken, and one that leads nowhere is not', () => {
  expect(tunnelSchema.safeParse(forward).success).toBe(true);
  expect(tunnelSchema.safeParse({ ...forward, port: 0 }).success).toBe(false);
  expect(tunnelSchema.safeParse({ ...forward, peer: '123 456' }).success).toBe(false);
  expect(tunnelSchema.safeParse({ ...forward, kind: 'ssh' }).success).toBe(false);
});

test('ports of a rule are in order', () => {
  const rule = { id: 'r1', peer: '', kind: 'any', host: '*', firstPort: 10, lastPort: 20 };
  expect(ruleSchema.safeParse(rule).success).toBe(true);
  const wrong = ruleSchema.safeParse({ ...rule, lastPort: 9 });
  expect(wrong.error?.issues[0]?.path).toEqual(['lastPort']);
});
