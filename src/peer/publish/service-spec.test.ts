import { expect, it } from 'vitest';
import { formatService, parseService, type ServiceOptions } from './service-spec.ts';

const PLAIN: ServiceOptions = { allow: [], basicAuth: null, health: null, maxConnections: 0, bandwidthKbps: 0 };

it.each([
  ['tcp:localhost:22@30022', 'tcp-30022=tcp:localhost:22@30022'],
  ['tcp:22', 'tcp-22=tcp:127.0.0.1:22'],
  ['game=udp:10.0.0.4:27015', 'game=udp:10.0.0.4:27015'],
  ['udp:[2001:db8::1]:53@30053', 'udp-30053=udp:[2001:db8::1]:53@30053'],
  ['http:localhost:8080@www.example.org', 'http-www.example.org=http:localhost:8080@www.example.org'],
  ['web=http:a:80,b:81,82@www', 'web=http:a:80,b:81,127.0.0.1:82@www'],
  ['https:localhost:443@cloud.example.org', 'https-cloud.example.org=https:localhost:443@cloud.example.org'],
])('reads %s', (text, whole) => {
  const spec = parseService(text, PLAIN);
  expect(formatService(spec)).toBe(whole);
  expect(parseService(whole, PLAIN)).toEqual(spec);
});

it.each([
  '',
  'tcp',
  'ftp:localhost:21',
  'tcp:localhost',
  'tcp:localhost:0',
  'tcp:localhost:65536',
  'tcp:localhost:22@www.example.org',
  'tcp:localhost:22@70000',
  'http:localhost:80@30000',
  'http:localhost:80@a b',
  'a b=tcp:localhost:22',
  '=tcp:localhost:22',
  `${'x'.repeat(64)}=tcp:22`,
  `tcp:${Array.from({ length: 33 }, () => '22').join(',')}`,
])('does not take %j', (text) => {
  expect(() => parseService(text, PLAIN)).toThrow(expect.objectContaining({ code: 'SERVICE_INVALID' }));
});

it('asks for a password only where there is HTTP', () => {
  const guarded = { ...PLAIN, basicAuth: { user: 'anna', password: 'x' } };
  expect(parseService('http:80@www', guarded).basicAuth).not.toBeNull();
  expect(() => parseService('https:443@www', guarded)).toThrow('not a service');
});
