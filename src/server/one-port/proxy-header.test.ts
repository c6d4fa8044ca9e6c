import { describe, expect, it } from 'vitest';
import { MAX_PROXY_HEADER_BYTES, readProxyHeader } from './proxy-header.ts';

const text = (value: string): Buffer => Buffer.from(value, 'latin1');
const SIGNATURE = '0d0a0d0a000d0a515549540a';
const hex = (value: string): Buffer => Buffer.from(value.replaceAll(' ', ''), 'hex');

const V4 = { source: { host: '203.0.113.7', port: 50_000 }, destination: { host: '198.51.100.1', port: 443 } };
const V6 = { source: { host: '2001:db8::7', port: 50_000 }, destination: { host: '2001:db8::1', port: 443 } };
const NOBODY = { source: null, destination: null };

const ADDRESSES_4 = 'cb007107 c6336401 c350 01bb';
const ADDRESSES_6 = '20010db8000000000000000000000007 20010db8000000000000000000000001 c350 01bb';

describe('a PROXY header', () => {
  it.each([
    ['1, IPv4', text('PROXY TCP4 203.0.113.7 198.51.100.1 50000 443\r\n'), V4],
    ['1, IPv6', text('PROXY TCP6 2001:db8::7 2001:db8::1 50000 443\r\n'), V6],
    ['1, unknown', text('PROXY UNKNOWN\r\n'), NOBODY],
    ['1, unknown with a text', text('PROXY UNKNOWN ffff:f...f:ffff 65535 65535\r\n'), NOBODY],
    ['2, IPv4', hex(`${SIGNATURE} 21 11 000c ${ADDRESSES_4}`), V4],
    ['2, IPv4 with extras', hex(`${SIGNATURE} 21 11 0011 ${ADDRESSES_4} 0400026869`), V4],
    ['2, IPv6', hex(`${SIGNATURE} 21 21 0024 ${ADDRESSES_6}`), V6],
    ['2, mapped IPv4', hex(`${SIGNATURE} 21 21 0024 00000000000000000000ffffcb007107 00000000000000000000ffffc6336401 c350 01bb`), V4],
    ['2, the proxy itself', hex(`${SIGNATURE} 20 00 0000`), NOBODY],
    ['2, a unix socket', hex(`${SIGNATURE} 21 31 00d8 ${'00'.repeat(216)}`), NOBODY],
  ])('version %s', (_name, bytes, expected) => {
    for (let length = 0; length < bytes.length; length++) expect(readProxyHeader(bytes.subarray(0, length)), `${length} bytes`).toBeNull();
    expect(readProxyHeader(Buffer.concat([bytes, text('more')]))).toEqual({ ...expected, length: bytes.length });
  });

  it.each([
    ['other words', text('PROXYTCP4\r\n')],
    ['an address of the other family', text('PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n')],
    ['a name for an address', text('PROXY TCP4 localhost localhost 1 2\r\n')],
    ['a port beyond the last', text('PROXY TCP4 203.0.113.7 198.51.100.1 65536 443\r\n')],
    ['a part too many', text('PROXY TCP4 203.0.113.7 198.51.100.1 1 443 9\r\n')],
    ['no end', text(`PROXY TCP4 ${'1'.repeat(100)}`)],
    ['another version', hex(`${SIGNATURE} 31 11 000c ${ADDRESSES_4}`)],
    ['another command', hex(`${SIGNATURE} 22 11 000c ${ADDRESSES_4}`)],
    ['a giant length', hex(`${SIGNATURE} 21 11 ffff`)],
    ['a length below its addresses', hex(`${SIGNATURE} 21 11 0004 cb007107`)],
    ['another signature', hex('0d0a0d0a000d0a515549540b 21')],
  ])('with %s is broken', (_name, bytes) => {
    expect(() => readProxyHeader(bytes)).toThrow(expect.objectContaining({ code: 'PROXY_HEADER' }));
  });

  it('is bounded', () => {
    const length = MAX_PROXY_HEADER_BYTES - 16;
    const bytes = hex(`${SIGNATURE} 21 11 ${length.toString(16).padStart(4, '0')} ${ADDRESSES_4} ${'00'.repeat(length - 12)}`);
    expect(readProxyHeader(bytes)?.length).toBe(MAX_PROXY_HEADER_BYTES);
  });
});
