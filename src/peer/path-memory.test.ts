import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PathMemory } from './path-memory.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'litedesk-outcomes-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const open = (now = 1_000): PathMemory => new PathMemory(dir, () => now, () => {});

test('remembers over restarts, for this user only, and names nobody', () => {
  open().of('123456789').worked('tcp');
  const file = join(dir, 'outcomes.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).not.toContain('123456789');
  expect(open().of('123456789').best()).toBe('tcp');
  expect(open().of('987654321').best()).toBeNull();
});

test('a search without success is remembered too', () => {
  const memory = open().of('123456789');
  memory.worked('udp');
  memory.failed();
  memory.failed();
  expect(open().of('123456789').best()).toBeNull();
});

test.each(['', 'nonsense', '[["a",{"way":"teleport","workedAt":1,"failures":0}]]', `${'['.repeat(1000)}`])(
  'a broken file is as none: %s',
  (text) => {
    writeFileSync(join(dir, 'outcomes.json'), text);
    const memory = open().of('1');
    expect(memory.best()).toBeNull();
    memory.worked('udp');
    expect(open().of('1').best()).toBe('udp');
  },
);
