import { describe, expect, it } from 'vitest';
import { parseTarget } from './target.ts';

describe('parseTarget (rendezvous §9.1)', () => {
  it.each([
    ['123456789', { kind: 'id', id: '123456789', forceRelay: false, server: null }],
    [' 123 456 789 ', { kind: 'id', id: '123456789', forceRelay: false, server: null }],
    ['my-office', { kind: 'id', id: 'my-office', forceRelay: false, server: null }],
    ['123456789/r', { kind: 'id', id: '123456789', forceRelay: true, server: null }],
    ['123456789@desk.example?key=abc=', { kind: 'id', id: '123456789', forceRelay: false, server: { host: 'desk.example', port: 21116, key: 'abc=' } }],
    ['192.168.1.20', { kind: 'address', host: '192.168.1.20', port: 21118 }],
    ['192.168.1.20:5000', { kind: 'address', host: '192.168.1.20', port: 5000 }],
    ['[2001:db8::1]:21118', { kind: 'address', host: '2001:db8::1', port: 21118 }],
    ['2001:db8::1', { kind: 'address', host: '2001:db8::1', port: 21118 }],
    ['desk.example:21118', { kind: 'address', host: 'desk.example', port: 21118 }],
  ])('reads %s', (text, expected) => {
    expect(parseTarget(text)).toEqual(expected);
  });

  it.each(['', '   ', 'a"b', 'x<y', 'a\u0000b', 'z'.repeat(500)])('refuses %j', (text) => {
    expect(() => parseTarget(text)).toThrowError(expect.objectContaining({ code: 'TARGET_INVALID' }));
  });
});
