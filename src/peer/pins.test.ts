import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PinStore } from './pins.ts';

const KEY = new Uint8Array(32).fill(1);
const OTHER = new Uint8Array(32).fill(2);
let dir = '';
let now = 1_000;
let pins: PinStore;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-pins-'));
  pins = new PinStore(dir, () => now++);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('pins', () => {
  test('keep the first key of a host at a server, for the user alone', () => {
    expect(pins.host('Server.example', '123')).toBeNull();
    pins.rememberHost('Server.example', '123', { key: KEY, native: false });
    pins.rememberHost('server.example', '123', { key: OTHER, native: true });
    const again = new PinStore(dir, () => now);
    expect(again.host('server.EXAMPLE', '123')).toEqual({ key: Buffer.from(KEY), native: false });
    expect(again.host('elsewhere.example', '123')).toBeNull();
    expect(statSync(join(dir, 'pins.json')).mode & 0o777).toBe(0o600);
  });

  test('do not forget that a host spoke native, unless they are told to', () => {
    pins.rememberHost('s', '123', { key: KEY, native: true });
    pins.rememberHost('s', '123', { key: KEY, native: false });
    expect(pins.host('s', '123')?.native).toBe(true);
    expect([pins.allowOlderLink('123'), pins.allowOlderLink('456')]).toEqual([true, false]);
    expect(pins.host('s', '123')).toEqual({ key: Buffer.from(KEY), native: false });
  });

  test('take another key when the user says so, and nothing less for it', () => {
    for (const native of [true, false]) {
      pins.rememberHost('s', `${native}`, { key: KEY, native });
      pins.replaceHostKey('s', `${native}`, OTHER);
      expect(pins.host('s', `${native}`)).toEqual({ key: Buffer.from(OTHER), native });
    }
  });

  test('can be set before the first session, from the key that the host shows', () => {
    pins.setHost('s', '123', Buffer.from(KEY).toString('base64'));
    expect(pins.host('s', '123')).toEqual({ key: Buffer.from(KEY), native: true });
    expect(() => pins.setHost('s', '123', '3F2A-91C0')).toThrow(expect.objectContaining({ code: 'PIN_KEY_INVALID' }));
  });

  test('tell a controller that is known from one that only uses its id', () => {
    expect([pins.controller('s', '9', KEY), pins.controller('s', '9', null)]).toEqual(['new', 'unproven']);
    pins.rememberController('s', { id: '9', key: KEY });
    pins.rememberController('s', { id: '9', key: OTHER });
    expect([KEY, OTHER, null].map((key) => pins.controller('s', '9', key))).toEqual(['known', 'changed', 'changed']);
    // Hosts and controllers are apart.
    expect(pins.host('s', '9')).toBeNull();
  });

  test('are listed and forgotten, also by another process', () => {
    pins.rememberHost('s', '123', { key: KEY, native: true });
    pins.rememberController('s', { id: '123', key: OTHER });
    expect(pins.list()).toMatchObject([
      { role: 'host', id: '123', native: true, fingerprint: expect.stringMatching(/^([0-9A-F]{4}-){3}[0-9A-F]{4}$/) },
      { role: 'controller', id: '123' },
    ]);
    const other = new PinStore(dir, () => now);
    expect([other.forget('123'), other.forget('123')]).toEqual([true, false]);
    expect(pins.list()).toEqual([]);
  });

  test('are bounded; the one that was not used for the longest goes', () => {
    const key = Buffer.from(KEY).toString('base64');
    const hosts = Array.from({ length: 5_000 }, (_, i) => ({ server: 's', id: `${i}`, key, sinceMs: 1, usedMs: 10_000 - i }));
    writeFileSync(join(dir, 'pins.json'), JSON.stringify({ hosts }));
    now = 20_000;
    pins.rememberHost('s', 'new', { key: KEY, native: true });
    expect([pins.host('s', 'new') !== null, pins.host('s', '0') !== null, pins.host('s', '4999')]).toEqual([true, true, null]);
  });

  test.each(['{', '[]', '{"hosts":[{"id":"1"}]}'])('a damaged file (%s) is said, not taken for none', (content) => {
    writeFileSync(join(dir, 'pins.json'), content);
    for (const ask of [() => pins.host('s', '1'), () => pins.list(), () => pins.forget('1')])
      expect(ask).toThrow(expect.objectContaining({ code: 'PINS_UNREADABLE' }));
  });
});
