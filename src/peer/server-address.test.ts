import { describe, expect, it } from 'vitest';
import { formatInvitation } from '../shared/invitation.ts';
import { formatServer, parseServer, relayAddress, routeTo, type ServerAddress } from './server-address.ts';

const KEY = 'OeVuKk5nlHiXp+APNn0Y3pC1Iwpwn44JGqrQCsWqmBw=';

describe('what a person gives as server', () => {
  it.each([
    ['desk.example.org', { host: 'desk.example.org', port: 21116 }],
    ['desk.example.org:31116', { host: 'desk.example.org', port: 31116 }],
    ['tls://desk.example.org', { host: 'desk.example.org', port: 443, single: { tls: true, ws: false } }],
    ['wss://desk.example.org/', { host: 'desk.example.org', port: 443, single: { tls: true, ws: true } }],
    ['ws://10.0.0.2', { host: '10.0.0.2', port: 80, single: { tls: false, ws: true } }],
    ['single://[2001:db8::1]:8443', { host: '2001:db8::1', port: 8443, single: { tls: false, ws: false } }],
  ])('reads %s, and writes it so that it is read again', (text, server) => {
    expect(parseServer(text, KEY)).toEqual({ ...server, key: KEY });
    expect(parseServer(formatServer(parseServer(text, KEY)), KEY)).toEqual({ ...server, key: KEY });
  });

  it('knows from an invitation that all is on one port, and lets another key go before its own', () => {
    const line = formatInvitation({ host: 'desk.example.org', port: 443, key: KEY, single: true, tls: true });
    expect(parseServer(line)).toEqual({ host: 'desk.example.org', port: 443, key: KEY, single: { tls: true, ws: false } });
    expect(parseServer(line, 'other').key).toBe('other');
  });

  it.each(['ftp://desk.example.org', 'tls://', 'tls://desk example'])('refuses %s', (text) => {
    expect(() => parseServer(text)).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS' }));
  });
});

describe('where the relay is', () => {
  const classic: ServerAddress = { host: 'desk.example.org', port: 21116, key: KEY };
  const single: ServerAddress = { host: 'desk.example.org', port: 443, key: KEY, single: { tls: true, ws: false } };
  const route = routeTo(single, 'relay');
  const own = { host: 'desk.example.org', port: 443, route };

  it.each([
    [classic, '', { host: 'desk.example.org', port: 21117 }],
    [classic, 'relay.example', { host: 'relay.example', port: 21117 }],
    [single, '', own],
    // What a stock peer guesses from the address that it registered at.
    [single, 'desk.example.org:444', own],
    // The other port of the same web proxy.
    [single, 'desk.example.org:80', own],
    // What a server behind a router or proxy knows of itself.
    [single, '172.17.0.2:443', own],
    [single, '203.0.113.10:443', { host: '203.0.113.10', port: 443, route }],
    [single, 'relay.example:443', { host: 'relay.example', port: 443, route: { ...route, name: 'relay.example' } }],
    [single, 'relay.example:21117', { host: 'relay.example', port: 21117 }],
  ])('%j told "%s"', (server, named, relay) => {
    expect(relayAddress(named, server)).toEqual(relay);
  });
});
