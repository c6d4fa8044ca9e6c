import { describe, expect, it } from 'vitest';
import { clientAddress, TrustedProxies, wasForwarded } from './proxy-address.ts';

const trusted = new TrustedProxies(['10.0.0.0/8', '127.0.0.1', '2001:db8:1::/48']);
const PROXY = { host: '10.0.0.1', port: 40_000 };

describe('the address of a client behind a listed proxy', () => {
  it.each([
    ['X-Real-IP', { 'x-real-ip': '203.0.113.7' }, '203.0.113.7'],
    ['X-Real-IP of IPv6', { 'x-real-ip': '2001:db8::7' }, '2001:db8::7'],
    ['X-Forwarded-For', { 'x-forwarded-for': '203.0.113.7' }, '203.0.113.7'],
    ['an unreadable X-Real-IP that hides nothing', { 'x-real-ip': 'unknown', 'x-forwarded-for': '203.0.113.7' }, '203.0.113.7'],
    ['an empty X-Real-IP', { 'x-real-ip': '', 'x-forwarded-for': '203.0.113.7' }, '203.0.113.7'],
    ['X-Real-IP that names another proxy', { 'x-real-ip': '10.0.0.2', 'x-forwarded-for': '203.0.113.7, 10.0.0.2' }, '203.0.113.7'],
    ['the right-most hop that is not listed', { 'x-forwarded-for': '1.1.1.1, 203.0.113.7, 10.0.0.3, 10.0.0.2' }, '203.0.113.7'],
    ['nothing left of an unreadable hop', { 'x-forwarded-for': '1.1.1.1, who?, 10.0.0.2' }, '10.0.0.2'],
    ['a hop with a port', { 'x-forwarded-for': '203.0.113.7:1234' }, '203.0.113.7'],
    ['an IPv6 hop with a port', { 'x-forwarded-for': '[2001:db8::7]:1234' }, '2001:db8::7'],
    ['only listed hops: the first of them', { 'x-forwarded-for': '10.0.0.4, 10.0.0.3' }, '10.0.0.4'],
    ['Forwarded', { forwarded: 'for=1.1.1.1, For="[2001:db8::7]:1234";proto=https, for=10.0.0.2' }, '2001:db8::7'],
    ['X-Forwarded-For before Forwarded', { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=1.1.1.1' }, '203.0.113.7'],
    ['mapped IPv4', { 'x-real-ip': '::ffff:203.0.113.7' }, '203.0.113.7'],
  ])('is taken from %s', (_name, headers, host) => {
    expect(clientAddress(PROXY, headers, trusted)).toEqual({ host, port: 0 });
  });

  it.each([{}, { 'x-real-ip': 'unknown' }, { 'x-forwarded-for': '' }, { forwarded: 'proto=https' }, { forwarded: 'for=_hidden' }])(
    'is the socket’s where nothing can be read: %j',
    (headers) => {
      expect(clientAddress(PROXY, headers, trusted)).toEqual(PROXY);
    },
  );

  it('is the socket’s for everybody who is not listed', () => {
    const headers = { 'x-real-ip': '1.1.1.1', 'x-forwarded-for': '1.1.1.1', forwarded: 'for=1.1.1.1' };
    for (const host of ['11.0.0.1', '127.0.0.2', '192.168.0.1', '2001:db8:2::1'])
      expect(clientAddress({ host, port: 1 }, headers, trusted)).toEqual({ host, port: 1 });
    expect(clientAddress(PROXY, headers, new TrustedProxies([]))).toEqual(PROXY);
  });

  it('tells that somebody passed it on, listed or not', () => {
    expect(wasForwarded({ host: 'desk.example' })).toBe(false);
    expect(wasForwarded({ 'x-forwarded-for': 'nonsense' })).toBe(true);
  });
});

it.each(['10.0.0.0/33', '10.0.0/8', 'desk.example', '2001:db8::/129', '10.0.0.1/8/8', '10.0.0.1/', ''])('refuses %j as a proxy', (cidr) => {
  expect(() => new TrustedProxies([cidr])).toThrow(expect.objectContaining({ code: 'BAD_PROXY_ADDRESS' }));
});
