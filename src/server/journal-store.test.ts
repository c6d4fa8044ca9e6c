import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { JournalStore } from './journal-store.ts';

let file = '';
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'litedesk-journal-')), 'peers.journal');
});
afterEach(() => rmSync(join(file, '..'), { recursive: true, force: true }));

async function save(id: string): Promise<void> {
  const store = new JournalStore(file, 10);
  const bytes = new Uint8Array(Buffer.from(id));
  await new Promise<void>((resolve, reject) =>
    store.save({ guid: bytes, id, uuid: bytes, pk: bytes, ip: '127.0.0.1' }, (error) => (error ? reject(error) : resolve())),
  );
  await store.close();
}

async function ids(): Promise<string[]> {
  const store = new JournalStore(file, 10);
  await store.close();
  return store.list(0, 10).map((row) => row.id);
}

it('keeps a copy of a journal with lines that cannot be read, and what can', async () => {
  await save('123456789');
  const text = `garbage\n${readFileSync(file, 'utf8')}`;
  writeFileSync(file, text);
  expect(await ids()).toEqual(['123456789']);
  expect(readFileSync(`${file}.damaged`, 'utf8')).toBe(text);
});

it('drops the half line of a write that a kill has ended', async () => {
  await save('123456789');
  writeFileSync(file, `${readFileSync(file, 'utf8')}{"guid":"`);
  expect(await ids()).toEqual(['123456789']);
  expect(existsSync(`${file}.damaged`)).toBe(false);
});
