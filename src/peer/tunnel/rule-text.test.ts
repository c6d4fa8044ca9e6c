import { expect, test } from 'vitest';
import { parseTunnelRule } from './rule-text.ts';

test.each([
  ['any', { kind: 'any', host: '*', firstPort: 1, lastPort: 65_535, peer: '' }],
  ['any@123456789', { kind: 'any', host: '*', firstPort: 1, lastPort: 65_535, peer: '123456789' }],
  ['tcp:192.168.1.5:80', { kind: 'tcp', host: '192.168.1.5', firstPort: 80, lastPort: 80, peer: '' }],
  ['tcp:10.0.0.0/8:1000-2000', { kind: 'tcp', host: '10.0.0.0/8', firstPort: 1_000, lastPort: 2_000, peer: '' }],
  ['udp:[fd00::]/8:53', { kind: 'udp', host: 'fd00::/8', firstPort: 53, lastPort: 53, peer: '' }],
  ['tcp:[fd00::/8]:80-80', { kind: 'tcp', host: 'fd00::/8', firstPort: 80, lastPort: 80, peer: '' }],
  ['tcp:[::1]:22@123456789', { kind: 'tcp', host: '::1', firstPort: 22, lastPort: 22, peer: '123456789' }],
  ['tcp:nas.example:*', { kind: 'tcp', host: 'nas.example', firstPort: 1, lastPort: 65_535, peer: '' }],
  [' tcp:NAS.Example.:80 ', { kind: 'tcp', host: 'nas.example', firstPort: 80, lastPort: 80, peer: '' }],
  ['tcp:*:443', { kind: 'tcp', host: '*', firstPort: 443, lastPort: 443, peer: '' }],
  ['service:files@laptop', { kind: 'service', host: 'files', firstPort: 1, lastPort: 65_535, peer: 'laptop' }],
])('%s', (text, rule) => {
  expect(parseTunnelRule(text)).toEqual(rule);
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
