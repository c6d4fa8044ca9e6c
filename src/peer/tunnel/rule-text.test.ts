import { expect, test } from 'vitest';
import { formatTunnelRule, parseTunnelRule } from './rule-text.ts';

test.each([
  'any',
  'any@123456789',
  'tcp:192.168.1.5:80',
  'tcp:10.0.0.0/8:1000-2000',
  'udp:[fd00::]/8:53',
  'tcp:[::1]:22@123456789',
  'tcp:nas.example:*',
  'tcp:*:443',
  'service:files@laptop',
])('%s is read and written alike', (text) => {
  expect(formatTunnelRule(parseTunnelRule(text))).toBe(text);
});

test('spellings come to one form', () => {
  expect(parseTunnelRule(' tcp:NAS.Example.:80 ')).toEqual({ kind: 'tcp', host: 'nas.example', firstPort: 80, lastPort: 80, peer: '' });
  expect(formatTunnelRule(parseTunnelRule('tcp:[fd00::/8]:80-80'))).toBe('tcp:[fd00::]/8:80');
});

test.each([
  '',
  'all',
  'tcp:',
  'tcp:host',
  'tcp:host:0',
  'tcp:host:70000',
  'tcp:host:20-10',
  'tcp:127.1:80',
  'tcp:2130706433:80',
  'tcp:127.0.0.01:80',
  'tcp:300.0.0.1:80',
  'tcp:10.0.0.0/33:80',
  'tcp:::1:80',
  'tcp:[::1:80',
  'tcp:[zz::]:80',
  'tcp:a b:80',
  'http:host:80',
  'service:',
  'any@',
  'any@a b',
  `tcp:${'x'.repeat(700)}:80`,
])('"%s" is refused in words', (text) => {
  expect(() => parseTunnelRule(text)).toThrow(/is no rule: .*\./);
});
