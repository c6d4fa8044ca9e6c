import { expect, it } from 'vitest';
import { parseService, type ServiceOptions } from './service-spec.ts';

const PLAIN: ServiceOptions = { allow: [], basicAuth: null, health: null, maxConnections: 0, bandwidthKbps: 0 };

const at = (host: string, port: number): { host: string; port: number } => ({ host, port });

it.each([
  ['tcp:localhost:22@30022', { name: 'tcp-30022', kind: 'tcp', backends: [at('localhost', 22)], where: '30022' }],
  ['tcp:22', { name: 'tcp-22', kind: 'tcp', backends: [at('127.0.0.1', 22)], where: '' }],
  ['game=udp:10.0.0.4:27015', { name: 'game', kind: 'udp', backends: [at('10.0.0.4', 27_015)], where: '' }],
  ['udp:[2001:db8::1]:53@30053', { name: 'udp-30053', kind: 'udp', backends: [at('2001:db8::1', 53)], where: '30053' }],
  ['http:localhost:8080@www.example.org', { name: 'http-www.example.org', kind: 'http', backends: [at('localhost', 8080)], where: 'www.example.org' }],
  ['web=http:a:80,b:81,82@www', { name: 'web', kind: 'http', backends: [at('a', 80), at('b', 81), at('127.0.0.1', 82)], where: 'www' }],
  ['https:localhost:443@cloud.example.org', { name: 'https-cloud.example.org', kind: 'https', backends: [at('localhost', 443)], where: 'cloud.example.org' }],
])('reads %s', (text, spec) => {
  expect(parseService(text, PLAIN)).toEqual({ ...spec, ...PLAIN });
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
