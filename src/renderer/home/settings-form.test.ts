import { describe, expect, test } from 'vitest';
import type { Settings } from '../../shared/ipc.ts';
import { changeOf, formOf, parsePort } from './settings-form.ts';

const settings: Settings = {
  server: 'desk.example.org',
  key: 'abc=',
  language: 'en',
  shareEnabled: true,
  hasPermanentPassword: true,
  approveMode: 'both',
  directAccess: false,
  directAccessPort: 21118,
  lanDiscovery: true,
  portMapping: true,
  plaintextPeers: ['1', '2'],
};

describe('changeOf', () => {
  test('an untouched form changes nothing', () => {
    expect(changeOf(formOf(settings), settings)).toEqual({});
  });

  test('only what differs is sent, without the blanks around it', () => {
    const form = { ...formOf(settings), server: ' other.example.org ', plaintextPeers: ['1'] };
    expect(changeOf(form, settings)).toEqual({ server: 'other.example.org', plaintextPeers: ['1'] });
  });

  test('an invitation goes before address and key', () => {
    const form = { ...formOf(settings), server: 'x', key: 'y', invitation: ' litedesk://h?key=k#1 ' };
    expect(changeOf(form, settings)).toEqual({ invitation: 'litedesk://h?key=k#1' });
  });

  test('the permanent password is set, removed or left alone', () => {
    const form = formOf(settings);
    expect(changeOf({ ...form, permanentPassword: 'pw' }, settings)).toEqual({ permanentPassword: 'pw' });
    expect(changeOf({ ...form, removePassword: true }, settings)).toEqual({ permanentPassword: '' });
  });

  test('a wrong port stops the form only where it matters', () => {
    const form = { ...formOf(settings), directAccessPort: '70000' };
    expect(changeOf(form, settings)).toEqual({});
    expect(changeOf({ ...form, directAccess: true }, settings)).toBeNull();
    expect(changeOf({ ...form, directAccess: true, directAccessPort: '4000' }, settings)).toEqual({
      directAccess: true,
      directAccessPort: 4000,
    });
  });
});

test.each([
  ['1', 1],
  [' 65535 ', 65_535],
  ['0', null],
  ['65536', null],
  ['', null],
  ['1e3', null],
  ['-1', null],
])('parsePort(%j) is %j', (text, port) => {
  expect(parsePort(text)).toBe(port);
});
