import { describe, expect, test } from 'vitest';
import {
  formatHostPort,
  interfaceFacing,
  isPrivateHost,
  parseHostPort,
  plainAddress,
  resolveHost,
} from './endpoint.ts';

describe('addresses as text', () => {
  test.each([
    ['desk.example.org', 'desk.example.org', 21116],
    [' desk.example.org:5 ', 'desk.example.org', 5],
    ['localhost:65535', 'localhost', 65535],
    ['10.0.0.1', '10.0.0.1', 21116],
    ['10.0.0.1:1', '10.0.0.1', 1],
    ['2001:db8::1', '2001:db8::1', 21116],
    ['[2001:db8::1]', '2001:db8::1', 21116],
    ['[2001:db8::1]:80', '2001:db8::1', 80],
    ['my_host-1.lan.', 'my_host-1.lan.', 21116],
    ['büro.example:7', 'xn--bro-hoa.example', 7],
  ])('%s', (text, host, port) => {
    expect(parseHostPort(text, 21116)).toEqual({ host, port });
  });

  test.each([
    '',
    ' ',
    ':80',
    'a:0',
    'a:65536',
    'a:-1',
    'a:8o',
    'a:',
    'a b',
    'a/b',
    '[::1',
    '[::1]80',
    '[10.0.0.1]:1',
    '[x]:1',
    '1.2.3',
    '999.1.1.1',
    '1.2.3.4.5:80',
    'a..b',
    '-a',
    `${'x'.repeat(64)}.org`,
    'http://a',
    'a:1:2',
    'ä.org\u0000',
  ])('refuses %j', (text) => {
    expect(() => parseHostPort(text, 1)).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS' }));
  });

  test('without a default the port is needed', () => {
    expect(() => parseHostPort('a')).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS' }));
  });

  test('formats with brackets where needed', () => {
    expect(formatHostPort({ host: '::1', port: 2 })).toBe('[::1]:2');
    expect(formatHostPort({ host: 'a.b', port: 2 })).toBe('a.b:2');
    expect(plainAddress('::ffff:1.2.3.4')).toBe('1.2.3.4');
    expect(plainAddress('::1')).toBe('::1');
  });

  test('knows private addresses', () => {
    for (const host of [
      '10.1.1.1',
      '172.16.0.1',
      '172.31.9.9',
      '192.168.3.3',
      '127.0.0.1',
      '169.254.1.1',
      '100.64.0.1',
      '::1',
      'fd00::1',
      'fe80::1',
      '::ffff:10.0.0.1',
      '[fd00::1]',
      'localhost',
      'nas.local',
    ])
      expect(isPrivateHost(host), host).toBe(true);
    for (const host of [
      '8.8.8.8',
      '172.32.0.1',
      '100.128.0.1',
      '2001:db8::1',
      'example.org',
      '::ffff:8.8.8.8',
    ])
      expect(isPrivateHost(host), host).toBe(false);
  });

  test('the interface facing an address is the narrowest network that holds it', () => {
    const entry = (name: string, address: string, netmask: string) => ({
      name,
      address,
      netmask,
      broadcast: '',
      mac: '',
      internal: false,
    });
    const all = [entry('wide', '10.0.0.1', '255.0.0.0'), entry('narrow', '10.1.0.1', '255.255.0.0')];
    expect(interfaceFacing('10.1.2.3', all)?.name).toBe('narrow');
    expect(interfaceFacing('10.2.2.3', all)?.name).toBe('wide');
    expect(interfaceFacing('11.2.2.3', all)).toBeUndefined();
    expect(interfaceFacing('::1', all)).toBeUndefined();
  });
});

describe('names', () => {
  test('a literal is its own answer', async () => {
    expect(await resolveHost('2001:db8::1')).toEqual(['2001:db8::1']);
  });

  test('a name that cannot exist is DNS_FAILED at stage dns', async () => {
    await expect(resolveHost('no.such.name.invalid')).rejects.toMatchObject({
      code: 'DNS_FAILED',
      stage: 'dns',
    });
  });

  test('an abort lets the caller go', async () => {
    const stop = new AbortController();
    const pending = resolveHost('no.such.name.invalid', { signal: stop.signal });
    stop.abort();
    await expect(pending).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(resolveHost('a', { signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' });
  });
});
