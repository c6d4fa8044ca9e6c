import { expect, it } from 'vitest';
import { parseForward } from './forward.ts';

it.each([
  ['8080:web:80', { kind: 'forward', protocol: 'tcp', listenPort: 8080, targetHost: 'web', targetPort: 80 }],
  ['udp:0:10.0.0.1:53', { kind: 'forward', protocol: 'udp', listenPort: 0, targetHost: '10.0.0.1', targetPort: 53 }],
  ['*:8080:[2001:db8::1]:80', { kind: 'forward', listenHost: '::', targetHost: '2001:db8::1' }],
  ['80:8080:80', { kind: 'forward', listenPort: 80, targetHost: '8080', targetPort: 80 }],
  ['5432:db', { kind: 'service', protocol: 'tcp', listenPort: 5432, service: 'db', listenHost: '127.0.0.1' }],
  ['udp:0:names', { kind: 'service', protocol: 'udp', service: 'names' }],
  ['0.0.0.0:80:web-1.x', { kind: 'service', listenHost: '0.0.0.0', listenPort: 80, service: 'web-1.x' }],
])('reads %s', (text, spec) => {
  expect(parseForward(text, '123456789', 'a')).toMatchObject(spec);
});

it.each(['', '80', '80:', '99999:web:80', '80:web:99999', '80:we b', 'web:80', '80:-x'])('does not take %j', (text) => {
  expect(() => parseForward(text, '123456789', 'a')).toThrow();
});
