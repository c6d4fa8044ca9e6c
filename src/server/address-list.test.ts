/** Lists of addresses in files, as hbbr has them. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AddressList } from './address-list.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-list-'));
  file = join(dir, 'blocklist.txt');
});
afterEach(() => rmSync(dir, { recursive: true }));

it('reads one address a line, remarks behind a space, and networks', () => {
  writeFileSync(file, '# ours\r\n192.0.2.1 a neighbour\n\n::ffff:192.0.2.2\n 2001:db8::1\t\n10.0.0.0/8 all of it\n10.0.0/33\nnobody\nfd00::/8\n');
  const list = new AddressList(file, 100);
  expect(list.entries).toEqual(['192.0.2.1', '192.0.2.2', '2001:db8::1', '10.0.0.0/8', 'fd00::/8']);
  for (const host of ['192.0.2.1', '192.0.2.2', '2001:db8::1', '10.200.3.4', 'fd12::3']) expect(list.has(host), host).toBe(true);
  for (const host of ['192.0.2.3', '2001:db8::2', '11.0.0.1', '', 'nobody']) expect(list.has(host), host).toBe(false);
});

it('is empty without its file, and sees it come, change and go', () => {
  const list = new AddressList(file, 100);
  expect(list.size).toBe(0);
  writeFileSync(file, '192.0.2.1');
  expect([list.reload(), list.reload(), list.entries]).toEqual([true, false, ['192.0.2.1']]);
  writeFileSync(file, '192.0.2.2\n192.0.2.3');
  expect([list.reload(), list.entries]).toEqual([true, ['192.0.2.2', '192.0.2.3']]);
  rmSync(file);
  expect([list.reload(), list.size]).toEqual([true, 0]);
});

it('keeps the remarks of the file when it adds and removes', () => {
  writeFileSync(file, '# my list\n192.0.2.1 a neighbour\n192.0.2.9', { mode: 0o640 });
  const list = new AddressList(file, 100);
  expect(list.add(['192.0.2.2', '192.0.2.1', '10.0.0.0/8'])).toEqual(['192.0.2.2', '10.0.0.0/8']);
  expect(readFileSync(file, 'utf8')).toBe('# my list\n192.0.2.1 a neighbour\n192.0.2.9\n192.0.2.2\n10.0.0.0/8\n');
  expect(list.remove(['192.0.2.9', '192.0.2.77', '10.0.0.0/8'])).toEqual(['192.0.2.9', '10.0.0.0/8']);
  expect(readFileSync(file, 'utf8')).toBe('# my list\n192.0.2.1 a neighbour\n192.0.2.2\n');
  expect([list.has('10.1.1.1'), list.has('192.0.2.2')]).toEqual([false, true]);
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(existsSync(`${file}.new`)).toBe(false);
});

it('takes what is an address, and no more than it may', () => {
  const list = new AddressList(file, 2);
  expect(() => list.add(['example.org'])).toThrow(TypeError);
  expect(() => list.add(['192.0.2.1', '192.0.2.2', '192.0.2.3'])).toThrow(RangeError);
  expect(existsSync(file)).toBe(false);
  writeFileSync(file, '192.0.2.1\n192.0.2.2\n192.0.2.3');
  expect(new AddressList(file, 2).size).toBe(2);
});
